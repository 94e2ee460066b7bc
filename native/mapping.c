#include "mapping.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "death.h"
#include "environment.h"
#include "exit-plan.h"
#include "exports.h"
#include "guard.h"
#include "kept-bytes.h"
#include "pin.h"

/*
 * Node 22.23, 24.21 and 26.10 export this; declared here because one binary serves runtimes without it. Its finalizer
 * belongs to no environment (a SharedArrayBuffer may outlive the one that made it) and runs on any thread.
 */
typedef void (*finalize_without_env)(void *data, void *hint);
typedef napi_status (*create_external_shared)(napi_env env, void *data, size_t length, finalize_without_env finalize,
                                              void *hint, napi_value *result);

static create_external_shared find_create_external_shared(void) {
  create_external_shared function = NULL;
  /* ISO C has no conversion from object to function pointers; POSIX has this one. */
  *(void **)&function = dlsym(RTLD_DEFAULT, "node_api_create_external_sharedarraybuffer");
  return function;
}

bool mapping_can_share(void) {
  return find_create_external_shared() != NULL;
}

/* A place of NULL is the system's choice; any other is mapped over. */
static int flags_for(const void *place) {
  return place == NULL ? 0 : MAP_FIXED;
}

/* Nobody else has this file, and its pages are charged one by one as they are touched. */
static void *map_empty_file(void *place, size_t length) {
  int descriptor = memfd_create("shmkit-closed", MFD_CLOEXEC);
  if (descriptor < 0) return MAP_FAILED;
  void *base = MAP_FAILED;
  if (ftruncate(descriptor, (off_t)length) == 0) {
    base = mmap(place, length, PROT_READ | PROT_WRITE, MAP_SHARED | flags_for(place), descriptor, 0);
  }
  close(descriptor);
  return base;
}

/* Zeroes of this process's own. Async-signal-safe. */
static void *map_empty(void *place, size_t length) {
  /*
   * Private memory would count against RLIMIT_DATA with its whole length. The kernel lets this very call pass, and has
   * the process fail at its next allocation.
   */
  struct rlimit data;
  if (getrlimit(RLIMIT_DATA, &data) == 0 && data.rlim_cur != RLIM_INFINITY) return map_empty_file(place, length);
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags_for(place);
  void *base = mmap(place, length, PROT_READ | PROT_WRITE, flags, -1, 0);
  /* Strict overcommit charges the whole length as well. */
  return base != MAP_FAILED ? base : map_empty_file(place, length);
}

bool mapping_replace(struct mapping *mapping) {
  return map_empty(mapping->base, mapping->length) != MAP_FAILED;
}

/* Puts the pages in the place of the mapping's, in one step for whoever accesses these. */
static bool put_in_place(struct mapping *mapping, void *pages) {
  if (mremap(pages, mapping->length, mapping->length, MREMAP_MAYMOVE | MREMAP_FIXED, mapping->base) != MAP_FAILED) return true;
  munmap(pages, mapping->length);
  return false;
}

/* As mapping_replace, apart from what calls of the C library rely on. */
static bool replace_amid_calls(struct mapping *mapping) {
  void *pages = map_empty(NULL, mapping->length);
  if (pages == MAP_FAILED) return false;
  kept_bytes_put(pages, mapping->base, mapping->length);
  return put_in_place(mapping, pages);
}

bool mapping_lose(struct mapping *mapping) {
  /* First: another thread that reads a zero from the new pages, or is about to make a call on them, must find the loss noted already. */
  atomic_store(&mapping->status[STATUS_LOST], 1);
  bool is_amid_calls = kept_bytes_are_in(mapping->base, mapping->length);
  if (!(is_amid_calls ? replace_amid_calls(mapping) : mapping_replace(mapping))) return false;
  drop_pin(mapping);
  return true;
}

bool mapping_copy(struct mapping *mapping) {
  void *copy = map_empty(NULL, mapping->length);
  if (copy == MAP_FAILED) return false;
  memcpy(copy, mapping->base, mapping->length);
  atomic_store(&mapping->status[STATUS_LOST], 1);
  return put_in_place(mapping, copy);
}

static void release_record(struct mapping *mapping) {
  if (atomic_fetch_sub(&mapping->record_holders, 1) == 1) free(mapping);
}

void mapping_hold(struct mapping *mapping) {
  atomic_fetch_add(&mapping->record_holders, 1);
  atomic_fetch_add(&mapping->range_holders, 1);
}

void mapping_release(struct mapping *mapping) {
  if (atomic_fetch_sub(&mapping->range_holders, 1) == 1) {
    if (mapping->guard != NULL) guard_remove(mapping);
    if (mapping->base != NULL) munmap(mapping->base, mapping->length);
  }
  release_record(mapping);
}

static void finalize_buffer(napi_env env, void *data, void *hint) {
  (void)env;
  (void)data;
  mapping_release(hint);
}

static void finalize_shared_buffer(void *data, void *hint) {
  (void)data;
  mapping_release(hint);
}

static void finalize_status(napi_env env, void *data, void *hint) {
  (void)env;
  (void)data;
  release_record(hint);
}

struct mapping *mapping_create(size_t length, bool writable) {
  struct mapping *mapping = calloc(1, sizeof *mapping);
  if (mapping == NULL) return NULL;
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  pthread_mutex_init(&mapping->waiter.lock, NULL);
  mapping->usable = length;
  mapping->length = (length + page - 1) / page * page;
  mapping->writable = writable;
  mapping->file = -1;
  return mapping;
}

int mapping_guard(struct mapping *mapping, void *base) {
  mapping->base = base;
  madvise(base, mapping->length, MADV_DONTDUMP); /* a courtesy to whoever reads core files: failure is harmless */
  int failure = guard_add(mapping);
  if (failure != 0) munmap(base, mapping->length);
  return failure;
}

/*
 * A buffer over the range. V8 counts an ArrayBuffer's whole length as external memory, address space that is not backed
 * included. Measured on Node 20 to 26: mapping 1 GiB starts one incremental collection, mapping more than half the heap
 * limit forces a full one, and afterwards collections come as often as before, since V8 counts growth from there. A
 * correction with napi_adjust_external_memory would lower that baseline, and so cost the same collection sooner or
 * later, and it would need an environment in the finalizer. A SharedArrayBuffer is not counted at all.
 */
static bool create_buffer(struct call *call, struct mapping *mapping, bool shared, napi_value *buffer) {
  if (shared) {
    create_external_shared create = find_create_external_shared();
    return create != NULL && create(call->env, mapping->base, mapping->usable, finalize_shared_buffer, mapping, buffer) == napi_ok;
  }
  return napi_create_external_arraybuffer(call->env, mapping->base, mapping->usable, finalize_buffer, mapping, buffer) == napi_ok;
}

/*
 * The runtime refused the buffer, and runtimes disagree on whether the finalizer runs then, and when. So its holds stay,
 * and with them the record, a few hundred bytes; but the range goes now.
 */
static void refuse_buffer(struct mapping *mapping) {
  guard_remove(mapping);
  munmap(mapping->base, mapping->length);
  mapping->base = NULL;
}

static bool create_answer(struct call *call, struct mapping *mapping, napi_value buffer) {
  napi_value id;
  napi_value status;
  napi_value answer;
  if (napi_create_external_arraybuffer(call->env, mapping->status, sizeof mapping->status, finalize_status, mapping,
                                       &status) != napi_ok) {
    return false;
  }
  if (napi_create_uint32(call->env, mapping->id, &id) != napi_ok || napi_create_object(call->env, &answer) != napi_ok ||
      napi_set_named_property(call->env, answer, "id", id) != napi_ok ||
      napi_set_named_property(call->env, answer, "buffer", buffer) != napi_ok ||
      napi_set_named_property(call->env, answer, "status", status) != napi_ok) {
    return false;
  }
  call->result = answer;
  return true;
}

struct mapping *call_mapping(struct call *call, size_t index) {
  uint32_t id = (uint32_t)call_integer(call, index, "mapping", 1, UINT32_MAX);
  if (call->stopped) return NULL;
  struct mapping *mapping = environment_mapping(call->environment, id);
  if (mapping == NULL) call_refuse(call, -EBADF);
  return mapping;
}

size_t call_word(struct call *call, size_t index, const char *name, const struct mapping *mapping) {
  int64_t offset = call_integer(call, index, name, 0, MAX_SAFE_INTEGER);
  if (call->stopped) return 0;
  if (offset % 4 == 0 && mapping_contains(mapping, (uint64_t)offset, 4)) return (size_t)offset;
  call_range_error(call, name, "the offset of an aligned 32-bit word inside the mapping");
  return 0;
}

int64_t map_file(struct call *call) {
  int descriptor = call_descriptor(call, 0, "fd");
  int64_t length = call_integer(call, 1, "lengthBytes", 1, MAX_SAFE_INTEGER);
  bool writable = call_boolean(call, 2, "writable");
  bool shared = call_boolean(call, 3, "shared");
  bool keeps_file = call_boolean(call, 4, "keepsFile");
  if (call->stopped) return 0;
  if (shared && !mapping_can_share()) return -ENOTSUP;

  struct mapping *mapping = mapping_create((size_t)length, writable);
  if (mapping == NULL) return -ENOMEM;
  /* Read only is a private copy on write: a stray write must not crash, and must not reach the file either. */
  int flags = (writable ? MAP_SHARED : MAP_PRIVATE) | MAP_NORESERVE;
  void *base = mmap(NULL, mapping->length, PROT_READ | PROT_WRITE, flags, descriptor, 0);
  int failure = base == MAP_FAILED ? -errno : mapping_guard(mapping, base);
  if (failure != 0) {
    free(mapping);
    return failure;
  }
  if (keeps_file) {
    mapping->file = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    failure = mapping->file < 0 ? -errno : 0;
  }
  if (failure == 0) return mapping_offer(call, mapping, shared);
  guard_remove(mapping);
  munmap(base, mapping->length);
  free(mapping);
  return failure;
}

int mapping_offer(struct call *call, struct mapping *mapping, bool shared) {
  atomic_store(&mapping->range_holders, 2);
  atomic_store(&mapping->record_holders, 3);
  if (!environment_add_mapping(call->environment, mapping)) {
    guard_remove(mapping);
    munmap(mapping->base, mapping->length);
    if (mapping->file >= 0) close(mapping->file);
    free(mapping);
    return -ENOMEM;
  }
  napi_value buffer = NULL;
  bool created = create_buffer(call, mapping, shared, &buffer);
  if (created && create_answer(call, mapping, buffer)) return 0;
  call_clear_exception(call);
  environment_remove_mapping(call->environment, mapping);
  if (!created) refuse_buffer(mapping);
  mapping_close(mapping);
  return -ENOTSUP;
}

void mapping_quiesce(struct mapping *mapping) {
  unwatch_deaths(mapping);
  waiter_stop(mapping);
}

int mapping_close(struct mapping *mapping) {
  /* First the memory, then the liveness, as in exit_plan_run. */
  bool replaced = mapping->base == NULL || atomic_load(&mapping->locked) > 0 || mapping_replace(mapping);
  drop_pin(mapping);
  exit_plan_forget(mapping);
  if (mapping->file >= 0) close(mapping->file);
  mapping->file = -1;
  /* The guard stays as long as the range: a thread may have faulted just before, and its handler has yet to look. */
  mapping_release(mapping);
  return replaced ? 0 : -ENOMEM;
}

static bool is_locked(struct mapping *mapping) {
  return atomic_load(&mapping->locked) > 0 && !mapping_is_lost(mapping);
}

int64_t close_mapping(struct call *call) {
  uint32_t id = (uint32_t)call_integer(call, 0, "mapping", 1, UINT32_MAX);
  if (call->stopped) return 0;
  struct mapping *mapping = environment_mapping(call->environment, id);
  if (mapping == NULL) return id <= call->environment->mappings.last_id ? 0 : -EBADF;
  if (is_locked(mapping)) return -EBUSY;
  mapping_quiesce(mapping);
  environment_remove_mapping(call->environment, mapping);
  return mapping_close(mapping);
}

int64_t is_mapping_locked(struct call *call) {
  struct mapping *mapping = call_mapping(call, 0);
  return call->stopped ? 0 : is_locked(mapping);
}
