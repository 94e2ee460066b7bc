/* mmap and its family for memory that users map by themselves. No protection that they ask for may make an access a fault. */
#include "exports.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "environment.h"
#include "guard.h"
#include "interruptible.h"
#include "mapping.h"

/* What may be asked for beside MAP_SHARED or MAP_PRIVATE: nothing that chooses an address, or pages of another size. */
#define KNOWN_FLAGS (MAP_ANONYMOUS | MAP_NORESERVE | MAP_POPULATE | MAP_LOCKED)
#define KNOWN_PROTECTION (PROT_READ | PROT_WRITE | PROT_EXEC)

static int check_protection(int64_t protection) {
  if ((protection & ~KNOWN_PROTECTION) != 0) return -EINVAL;
  /* Without any right each access of JavaScript's would end the process. */
  return (protection & (PROT_READ | PROT_WRITE)) == 0 ? -ENOTSUP : 0;
}

static bool is_private(const struct mapping *mapping) {
  return mapping->file < 0 && !mapping->is_segment;
}

/* Shared memory of nobody else: a file, so that its protection can change like that of any other. */
static int anonymous_file(int64_t length) {
  int file = memfd_create("shmkit-anonymous", MFD_CLOEXEC);
  if (file < 0) return -errno;
  if (ftruncate(file, length) == 0) return file;
  int failure = errno;
  close(file);
  return -failure;
}

/* Pages that may only be read are private copies: a stray write neither faults nor reaches the others. */
static void *map_pages(void *place, size_t length, int protection, int flags, int file, int64_t offset) {
  bool read_only = (protection & PROT_WRITE) == 0;
  if (read_only) flags = (flags & ~(MAP_SHARED | MAP_PRIVATE)) | MAP_PRIVATE;
  return mmap(place, length, protection | PROT_READ | PROT_WRITE, flags, file, offset);
}

/* `file` is this function's, or -1. */
static int map_raw(struct call *call, int64_t length, int protection, int flags, int file, int64_t offset) {
  bool shared = (flags & MAP_SHARED) != 0;
  struct mapping *mapping = mapping_create((size_t)length, shared && (protection & PROT_WRITE) != 0);
  int failure = mapping == NULL ? -ENOMEM : 0;
  if (failure == 0) {
    int wanted = file < 0 ? flags | MAP_ANONYMOUS : flags & ~MAP_ANONYMOUS;
    void *base = map_pages(NULL, mapping->length, protection, wanted, file, offset);
    failure = base == MAP_FAILED ? -errno : mapping_guard(mapping, base);
  }
  if (failure == 0 && shared) {
    mapping->file = file;
    mapping->file_offset = offset;
    return mapping_offer(call, mapping, false);
  }
  if (file >= 0) close(file);
  if (failure == 0) return mapping_offer(call, mapping, false);
  free(mapping);
  return failure;
}

int64_t raw_map(struct call *call) {
  int64_t length = call_integer_or(call, 0, "length", 0, MAX_SAFE_INTEGER, EINVAL);
  int64_t protection = call_integer_or(call, 1, "prot", 0, INT32_MAX, EINVAL);
  int64_t flags = call_integer_or(call, 2, "flags", 0, INT32_MAX, EINVAL);
  int64_t descriptor = call_integer_or(call, 3, "fd", -1, INT32_MAX, EBADF);
  int64_t offset = call_integer_or(call, 4, "offset", 0, MAX_SAFE_INTEGER, EINVAL);
  if (call->stopped) return 0;
  int failure = check_protection(protection);
  if (failure != 0) return failure;
  bool shared = (flags & MAP_SHARED) != 0;
  bool is_anonymous = (flags & MAP_ANONYMOUS) != 0;
  if (length == 0 || shared == ((flags & MAP_PRIVATE) != 0)) return -EINVAL;
  if ((flags & ~(KNOWN_FLAGS | MAP_SHARED | MAP_PRIVATE)) != 0) return -EINVAL;
  if (offset % sysconf(_SC_PAGESIZE) != 0) return -EINVAL;
  int file = -1;
  if (!is_anonymous) {
    file = fcntl((int)descriptor, F_DUPFD_CLOEXEC, 0);
    if (file < 0) return -errno;
  } else if (shared) {
    file = anonymous_file(length);
    if (file < 0) return file;
    offset = 0;
  }
  return map_raw(call, length, (int)protection, (int)flags, file, offset);
}

/* Pages of a mapping, the last of which may be longer than what was asked for. */
struct pages {
  struct mapping *mapping;
  uint8_t *begin;
  size_t length;
};

/* Arguments 0 to 2: mapping, offset, length. Which calls want whole pages the kernel knows. */
static struct pages call_pages(struct call *call) {
  struct pages pages = {.mapping = call_mapping(call, 0)};
  int64_t offset = call_integer(call, 1, "offset", 0, MAX_SAFE_INTEGER);
  int64_t length = call_integer(call, 2, "length", 0, MAX_SAFE_INTEGER);
  if (call->stopped) return pages;
  if (!mapping_contains(pages.mapping, (uint64_t)offset, (uint64_t)length)) call_refuse(call, -ENOMEM);
  else if (mapping_is_lost(pages.mapping)) call_refuse(call, -EIO);
  if (call->stopped) return pages;
  pages.begin = pages.mapping->base + offset;
  pages.length = (size_t)length;
  return pages;
}

/* Pages of System V are the same ones whatever may be done with them: a write to those for reading is caught. */
static int protect_segment(struct pages pages, int protection) {
  int failure = (protection & PROT_WRITE) == 0 ? guard_against_writes(pages.mapping) : 0;
  if (failure != 0) return failure;
  return mprotect(pages.begin, pages.length, protection | PROT_READ) == 0 ? 0 : -errno;
}

static void note_protection(struct pages pages, int protection) {
  bool is_whole = pages.begin == pages.mapping->base && pages.length >= pages.mapping->usable;
  /* A part of this process's own is enough: what is there keeps nobody out. */
  if ((protection & PROT_WRITE) == 0) pages.mapping->writable = false;
  else if (is_whole) pages.mapping->writable = true;
}

int64_t raw_protect(struct call *call) {
  struct pages pages = call_pages(call);
  int64_t protection = call_integer_or(call, 3, "prot", 0, INT32_MAX, EINVAL);
  if (call->stopped) return 0;
  int failure = check_protection(protection);
  if (failure != 0 || is_private(pages.mapping) || pages.length == 0) return failure;
  /* A mutex that is locked is replaced neither by this process's own pages nor by others' of the same place. */
  if (atomic_load(&pages.mapping->locked) > 0) return -EBUSY;
  if (pages.mapping->is_segment) {
    failure = protect_segment(pages, (int)protection);
    if (failure == 0) note_protection(pages, (int)protection);
    return failure;
  }
  int64_t offset = pages.mapping->file_offset + (pages.begin - pages.mapping->base);
  void *mapped = map_pages(pages.begin, pages.length, (int)protection, MAP_FIXED | MAP_SHARED, pages.mapping->file, offset);
  if (mapped != MAP_FAILED) {
    note_protection(pages, (int)protection);
    return 0;
  }
  failure = errno;
  /* Some kernels take the old pages away before they find that there can be no new ones. */
  unsigned char resident;
  if (mincore(pages.begin, 1, &resident) != 0 && errno == ENOMEM) mapping_lose(pages.mapping);
  return -failure;
}

int64_t raw_lock(struct call *call) {
  struct pages pages = call_pages(call);
  if (call->stopped) return 0;
  return mlock(pages.begin, pages.length) == 0 ? 0 : -errno;
}

int64_t raw_unlock(struct call *call) {
  struct pages pages = call_pages(call);
  if (call->stopped) return 0;
  return munlock(pages.begin, pages.length) == 0 ? 0 : -errno;
}

/* Nothing after which an access could fault. */
static bool is_harmless(int64_t advice) {
  switch (advice) {
    case MADV_NORMAL:
    case MADV_RANDOM:
    case MADV_SEQUENTIAL:
    case MADV_WILLNEED:
    case MADV_DONTNEED:
    case MADV_FREE:
    case MADV_REMOVE:
    case MADV_DONTFORK:
    case MADV_DOFORK:
    case MADV_MERGEABLE:
    case MADV_UNMERGEABLE:
    case MADV_HUGEPAGE:
    case MADV_NOHUGEPAGE:
    case MADV_DONTDUMP:
    case MADV_DODUMP:
      return true;
    default:
      return false;
  }
}

int64_t raw_advise(struct call *call) {
  struct pages pages = call_pages(call);
  int64_t advice = call_integer_or(call, 3, "advice", 0, INT32_MAX, EINVAL);
  if (call->stopped) return 0;
  if (!is_harmless(advice)) return -EINVAL;
  return madvise(pages.begin, pages.length, (int)advice) == 0 ? 0 : -errno;
}

struct synchronization {
  struct interruptible base;
  struct pages pages;
  int flags;
};

int64_t raw_synchronize(struct call *call) {
  struct pages pages = call_pages(call);
  int64_t flags = call_integer_or(call, 3, "flags", 0, INT32_MAX, EINVAL);
  if (call->stopped) return 0;
  return msync(pages.begin, pages.length, (int)flags) == 0 ? 0 : -errno;
}

static int64_t synchronize(struct interruptible *wanted) {
  struct synchronization *work = (struct synchronization *)wanted;
  return msync(work->pages.begin, work->pages.length, work->flags) == 0 ? 0 : -errno;
}

static void dispose_synchronization(struct interruptible *wanted) {
  mapping_release(((struct synchronization *)wanted)->pages.mapping);
  free(wanted);
}

int64_t raw_synchronize_async(struct call *call) {
  struct pages pages = call_pages(call);
  int64_t flags = call_integer_or(call, 3, "flags", 0, INT32_MAX, EINVAL);
  if (call->stopped) return 0;
  struct synchronization *work = calloc(1, sizeof *work);
  if (work == NULL) return -ENOMEM;
  mapping_hold(pages.mapping);
  *work = (struct synchronization){.pages = pages, .flags = (int)flags};
  work->base.attempt = synchronize;
  work->base.dispose = dispose_synchronization;
  work->base.may_be_left = true;
  return interruptible_start(call, "shmkit:msync", &work->base);
}
