#include "views.h"

#include <stdlib.h>

#include "environment.h"
#include "exports.h"
#include "pending.h"

/* How much is committed at a time, of what is reserved and touched. */
#define COMMIT_BYTES ((uintptr_t)64 * 1024)

/* Above what V8 chooses at random, and far above what the system chooses, which begins at the bottom. */
#define ARENA_BEGIN ((uintptr_t)1 << 46)
#define ARENA_BYTES ((uintptr_t)1 << 44)
#define GRANULARITY ((uintptr_t)64 * 1024)
/* Where somebody else is there all the same. */
#define STEP_BYTES ((uintptr_t)1 << 32)
#define MOST_STEPS 64

/* The two that say which access it was first, and the address second. */
#define FAULT_FACTS 2
#define FAULT_OF_EXECUTION 8

/* Nobody touches a view while holding it: the handler of a fault takes it. */
static SRWLOCK lock = SRWLOCK_INIT;
static struct view *all_views;
static bool has_handler;
/* Of the next view, in the arena. */
static uintptr_t next_offset;

static bool is_mapped(const struct view *view) {
  return view->base != NULL && !view->closed;
}

/* Under the lock. Another thread of the process may be given the addresses in between, and is left alone then. */
static bool replace(struct view *view) {
  UnmapViewOfFile(view->base);
  view->closed = VirtualAlloc(view->base, view->length, MEM_RESERVE, PAGE_READWRITE) != NULL;
  if (!view->closed) view->base = NULL;
  return view->closed;
}

/* Under the lock: memory for some pages. */
static bool commit_range(const struct view *view, uintptr_t begin, uintptr_t end) {
  DWORD protection = view->closed || view->writable ? PAGE_READWRITE : PAGE_WRITECOPY;
  return VirtualAlloc((void *)begin, end - begin, MEM_COMMIT, protection) != NULL;
}

/* The same for the pages around an address. */
static bool commit(const struct view *view, uintptr_t address) {
  uintptr_t begin = address / COMMIT_BYTES * COMMIT_BYTES;
  uintptr_t limit = (uintptr_t)view->base + view->length;
  return commit_range(view, begin, limit - begin > COMMIT_BYTES ? begin + COMMIT_BYTES : limit);
}

static bool lose(struct view *view) {
  if (view->closed) return false;
  InterlockedExchange(&view->status[STATUS_LOST], 1);
  return replace(view);
}

/* Under the lock, for pages of a view, closed or (SEC_RESERVE) not, that have no memory yet. */
static bool repair(struct view *view, uintptr_t address) {
  MEMORY_BASIC_INFORMATION found;
  if (VirtualQuery((void *)address, &found, sizeof found) == 0) return false;
  if (found.State == MEM_RESERVE && commit(view, address)) return true;
  /* Another thread was faster. */
  if (found.State == MEM_COMMIT && (found.Protect & (PAGE_READWRITE | PAGE_WRITECOPY)) != 0) return true;
  return lose(view) && commit(view, address);
}

static struct view *find(uintptr_t address) {
  for (struct view *view = all_views; view != NULL; view = view->next) {
    uintptr_t begin = (uintptr_t)view->base;
    if (begin != 0 && address >= begin && address - begin < view->length) return view;
  }
  return NULL;
}

static LONG CALLBACK on_fault(EXCEPTION_POINTERS *pointers) {
  const EXCEPTION_RECORD *fault = pointers->ExceptionRecord;
  bool is_of_device = fault->ExceptionCode == EXCEPTION_IN_PAGE_ERROR;
  if (!is_of_device && fault->ExceptionCode != EXCEPTION_ACCESS_VIOLATION) return EXCEPTION_CONTINUE_SEARCH;
  if (fault->NumberParameters < FAULT_FACTS || fault->ExceptionInformation[0] == FAULT_OF_EXECUTION) return EXCEPTION_CONTINUE_SEARCH;
  uintptr_t address = fault->ExceptionInformation[1];
  AcquireSRWLockExclusive(&lock);
  struct view *view = find(address);
  bool repaired = false;
  if (view != NULL) repaired = is_of_device ? lose(view) && commit(view, address) : repair(view, address);
  ReleaseSRWLockExclusive(&lock);
  return repaired ? EXCEPTION_CONTINUE_EXECUTION : EXCEPTION_CONTINUE_SEARCH;
}

/* Under the lock. The handler stays as long as the process, and with it this code. */
static bool install_handler(void) {
  HMODULE self;
  const DWORD how = GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS;
  if (has_handler) return true;
  if (!GetModuleHandleExW(how, (const WCHAR *)(void *)on_fault, &self)) return false;
  has_handler = AddVectoredExceptionHandler(1, on_fault) != NULL;
  return has_handler;
}

static bool watch(struct view *view) {
  AcquireSRWLockExclusive(&lock);
  bool installed = install_handler();
  if (installed) {
    view->next = all_views;
    all_views = view;
  }
  ReleaseSRWLockExclusive(&lock);
  return installed;
}

static void release_record(struct view *view) {
  if (InterlockedDecrement(&view->record_holders) == 0) free(view);
}

void view_hold(struct view *view) {
  InterlockedIncrement(&view->range_holders);
  InterlockedIncrement(&view->record_holders);
}

void view_release(struct view *view) {
  if (InterlockedDecrement(&view->range_holders) == 0) {
    AcquireSRWLockExclusive(&lock);
    struct view **link = &all_views;
    while (*link != NULL && *link != view) link = &(*link)->next;
    if (*link != NULL) *link = view->next;
    if (view->closed) VirtualFree(view->base, 0, MEM_RELEASE);
    else if (view->base != NULL) UnmapViewOfFile(view->base);
    ReleaseSRWLockExclusive(&lock);
  }
  release_record(view);
}

static void finalize_buffer(napi_env env, void *data, void *hint) {
  (void)env;
  (void)data;
  view_release(hint);
}

static void finalize_status(napi_env env, void *data, void *hint) {
  (void)env;
  (void)data;
  release_record(hint);
}

bool view_replace(struct view *view) {
  AcquireSRWLockExclusive(&lock);
  bool replaced = !is_mapped(view) || replace(view);
  ReleaseSRWLockExclusive(&lock);
  return replaced;
}

bool view_close(struct environment *environment, struct view *view) {
  table_remove(&environment->views, view->id);
  bool replaced = view_replace(view);
  view_release(view);
  return replaced;
}

DWORD view_commit(struct view *view, uint64_t offset, uint64_t length) {
  DWORD error = ERROR_SUCCESS;
  AcquireSRWLockExclusive(&lock);
  if (!is_mapped(view) || offset > view->length || length > view->length - offset) {
    error = ERROR_INVALID_PARAMETER;
  } else if (!commit_range(view, (uintptr_t)view->base + offset, (uintptr_t)view->base + offset + length)) {
    error = GetLastError();
  }
  ReleaseSRWLockExclusive(&lock);
  return error;
}

/* An open view of this environment; stops with -ERROR_INVALID_HANDLE for a closed or unknown one. */
static struct view *call_view(struct call *call) {
  uint32_t id = (uint32_t)call_integer(call, 0, "view", 1, UINT32_MAX);
  if (call->stopped) return NULL;
  struct view *view = table_find(&call->environment->views, id);
  if (view == NULL) call_refuse(call, -ERROR_INVALID_HANDLE);
  return view;
}

/* Bytes from its beginning to the end of the last page of the same mapping. */
static size_t extent_of(const uint8_t *base) {
  MEMORY_BASIC_INFORMATION found;
  size_t length = 0;
  while (VirtualQuery(base + length, &found, sizeof found) != 0 && found.AllocationBase == base && found.State != MEM_FREE) {
    length += found.RegionSize;
  }
  return length;
}

/*
 * The runtime refused the buffer, and runtimes disagree on whether the finalizer runs then, and when. So its holds stay, and
 * with them the record, a few hundred bytes; but the range goes now.
 */
static void refuse_buffer(struct view *view) {
  AcquireSRWLockExclusive(&lock);
  UnmapViewOfFile(view->base);
  view->base = NULL;
  ReleaseSRWLockExclusive(&lock);
}

/* Under the lock. */
static void go_on(uintptr_t bytes) {
  next_offset = (next_offset + (bytes + GRANULARITY - 1) / GRANULARITY * GRANULARITY) % ARENA_BYTES;
}

/* Under the lock: the view, mapped in the arena, or if that is full anywhere; false when it cannot be mapped. */
static bool map(struct view *view, HANDLE mapping, DWORD access, uint64_t offset, size_t length) {
  const DWORD high = (DWORD)(offset >> 32);
  const DWORD low = (DWORD)(offset & UINT32_MAX);
  for (int step = 0; step < MOST_STEPS; step++) {
    view->base = MapViewOfFileEx(mapping, access, high, low, length, (void *)(ARENA_BEGIN + next_offset));
    if (view->base != NULL || GetLastError() != ERROR_INVALID_ADDRESS) break;
    go_on(STEP_BYTES);
  }
  if (view->base == NULL && GetLastError() == ERROR_INVALID_ADDRESS) {
    view->base = MapViewOfFile(mapping, access, high, low, length);
  }
  if (view->base == NULL) return false;
  view->length = extent_of(view->base);
  go_on(view->length);
  return true;
}

static bool create_answer(struct call *call, struct view *view, uint32_t number, napi_value buffer) {
  napi_value id;
  napi_value status;
  napi_value answer;
  if (napi_create_external_arraybuffer(call->env, (void *)view->status, sizeof view->status, finalize_status, view, &status) != napi_ok ||
      napi_create_uint32(call->env, number, &id) != napi_ok || napi_create_object(call->env, &answer) != napi_ok ||
      napi_set_named_property(call->env, answer, "id", id) != napi_ok ||
      napi_set_named_property(call->env, answer, "buffer", buffer) != napi_ok ||
      napi_set_named_property(call->env, answer, "status", status) != napi_ok) {
    return false;
  }
  call->result = answer;
  return true;
}

struct view *view_map(HANDLE mapping, bool writable, uint64_t offset, size_t length, DWORD *error) {
  struct view *view = calloc(1, sizeof *view);
  *error = ERROR_NOT_ENOUGH_MEMORY;
  if (view == NULL) return NULL;
  view->writable = writable;
  view->range_holders = 2;
  view->record_holders = 3;
  /* For reading only it is copied on write: a stray write must not crash, and must not reach anybody either. */
  AcquireSRWLockExclusive(&lock);
  bool is_there = map(view, mapping, writable ? FILE_MAP_WRITE : FILE_MAP_COPY, offset, length);
  if (!is_there) *error = GetLastError();
  ReleaseSRWLockExclusive(&lock);
  if (is_there) {
    view->usable = length == 0 ? view->length : length;
    if (watch(view)) return view;
    UnmapViewOfFile(view->base);
  }
  free(view);
  return NULL;
}

void view_forget(struct view *view) {
  /* JavaScript never had a hold on it. */
  view->range_holders = 1;
  view->record_holders = 1;
  view_release(view);
}

bool view_offer(struct call *call, struct view *view, uint32_t id, napi_value *buffer) {
  bool created = napi_create_external_arraybuffer(call->env, view->base, view->usable, finalize_buffer, view, buffer) == napi_ok;
  if (created && create_answer(call, view, id, *buffer)) return true;
  call_clear_exception(call);
  if (!created) refuse_buffer(view);
  return false;
}

int64_t map_view_of_file(struct call *call) {
  HANDLE mapping = call_handle(call, 0);
  DWORD access = call_bits(call, 1, "dwDesiredAccess");
  uint64_t offset = (uint64_t)call_integer(call, 2, "offset", 0, MAX_SAFE_INTEGER);
  size_t length = (size_t)call_integer(call, 3, "dwNumberOfBytesToMap", 0, MAX_SAFE_INTEGER);
  if (call->stopped) return 0;
  const DWORD useful = FILE_MAP_COPY | FILE_MAP_WRITE | FILE_MAP_READ;
  if ((access & useful) == 0 || (access & ~(DWORD)FILE_MAP_ALL_ACCESS) != 0) return -ERROR_INVALID_PARAMETER;
  DWORD error;
  napi_value buffer;
  struct view *view = view_map(mapping, (access & FILE_MAP_WRITE) != 0, offset, length, &error);
  if (view == NULL) return -(int64_t)error;
  view->id = table_add(&call->environment->views, view);
  if (view->id == 0) {
    view_forget(view);
    return -ERROR_NOT_ENOUGH_MEMORY;
  }
  if (view_offer(call, view, view->id, &buffer)) return 0;
  view_close(call->environment, view);
  return -ERROR_NOT_SUPPORTED;
}

int64_t unmap_view_of_file(struct call *call) {
  uint32_t id = (uint32_t)call_integer(call, 0, "view", 1, UINT32_MAX);
  struct view *view = call->stopped ? NULL : table_find(&call->environment->views, id);
  if (view == NULL || view_close(call->environment, view)) return 0;
  /* Then nothing may lead there any more. */
  napi_detach_arraybuffer(call->env, call->values[1]);
  return 0;
}

struct flush {
  struct pending base;
  struct view *view;
  size_t offset;
  size_t length;
};

/* Arguments 0 to 2: view, offset, length. */
static struct flush call_flush(struct call *call) {
  struct flush flush = {.view = call_view(call)};
  flush.offset = (size_t)call_integer(call, 1, "offset", 0, MAX_SAFE_INTEGER);
  flush.length = (size_t)call_integer(call, 2, "dwNumberOfBytesToFlush", 0, MAX_SAFE_INTEGER);
  if (call->stopped) return flush;
  if (flush.offset > flush.view->usable || flush.length > flush.view->usable - flush.offset) call_refuse(call, -ERROR_INVALID_ADDRESS);
  return flush;
}

static int64_t flush_now(const struct flush *flush) {
  return FlushViewOfFile(flush->view->base + flush->offset, flush->length) ? 0 : -(int64_t)GetLastError();
}

int64_t flush_view_of_file(struct call *call) {
  struct flush flush = call_flush(call);
  return call->stopped ? 0 : flush_now(&flush);
}

static int64_t run(struct pending *pending) {
  return flush_now((const struct flush *)pending);
}

static void dispose(struct pending *pending) {
  view_release(((struct flush *)pending)->view);
  free(pending);
}

int64_t flush_view_of_file_async(struct call *call) {
  struct flush wanted = call_flush(call);
  if (call->stopped) return 0;
  struct flush *flush = malloc(sizeof *flush);
  if (flush == NULL) return -ERROR_NOT_ENOUGH_MEMORY;
  view_hold(wanted.view);
  *flush = wanted;
  flush->base.run = run;
  flush->base.dispose = dispose;
  return pending_start(call, "shmkit:FlushViewOfFile", &flush->base);
}
