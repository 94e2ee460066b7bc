/*
 * Named semaphores, where and as the C library has them, but not by its sem_open: whose mapping is of whatever length the file has, and
 * an access behind its end ends the process. To map that file once more it would have to be opened a second time, by a name that may be
 * gone or another's by then. And one that is killed inside leaves a file there.
 */
#include "exports.h"

#include <fcntl.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "environment.h"
#include "files.h"
#include "mapping.h"
#include "placed.h"

#define FOLDER "/dev/shm/"
#ifdef __GLIBC__
#define PREFIX "sem."
#else
#define PREFIX ""
#endif
#define PATH_BYTES (sizeof FOLDER PREFIX + MAX_TEXT_BYTES)

static int path_of(const char *name, char path[PATH_BYTES]) {
  while (*name == '/') name++;
  snprintf(path, PATH_BYTES, FOLDER PREFIX "%s", name);
  const char *file = path + strlen(FOLDER);
  bool is_none = *name == '\0' || strchr(name, '/') != NULL || strcmp(file, ".") == 0 || strcmp(file, "..") == 0;
  return is_none ? -EINVAL : 0;
}

/* Gives the file its contents, and then the name: 0 or -errno. */
static int fill_and_link(int file, const char *source, int flags, const char *path, const sem_t *contents) {
  ssize_t written = write(file, contents, sizeof *contents);
  if (written != (ssize_t)sizeof *contents) return written < 0 ? -errno : -ENOSPC;
  return linkat(AT_FDCWD, source, AT_FDCWD, path, flags) == 0 ? 0 : -errno;
}

static int closed_unless(int failure, int file) {
  if (failure == 0) return file;
  close(file);
  return failure;
}

static int make_nameless(const char *path, mode_t mode, const sem_t *contents) {
  char source[DESCRIPTOR_PATH_BYTES];
  int file = open(FOLDER, O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
  if (file < 0) return -errno;
  descriptor_path(file, source);
  return closed_unless(fill_and_link(file, source, AT_SYMLINK_FOLLOW, path, contents), file);
}

/* Under a name of nobody's first: where files cannot be without one, or /proc is missing. */
static int make_under_another_name(const char *path, mode_t mode, const sem_t *contents) {
  static atomic_uint made;
  char source[64];
  int file;
  do {
    snprintf(source, sizeof source, FOLDER PREFIX "%d-%u.new", getpid(), atomic_fetch_add(&made, 1));
    file = open(source, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, mode);
  } while (file < 0 && errno == EEXIST);
  if (file < 0) return -errno;
  int failure = fill_and_link(file, source, 0, path, contents);
  unlink(source);
  return closed_unless(failure, file);
}

/* A descriptor, -EEXIST, or another -errno. */
static int make(const char *path, mode_t mode, unsigned value) {
  sem_t contents;
  memset(&contents, 0, sizeof contents);
  if (sem_init(&contents, 1, value) != 0) return -errno;
  int file = make_nameless(path, mode, &contents);
  return file >= 0 || file == -EEXIST ? file : make_under_another_name(path, mode, &contents);
}

static int find_or_make(const char *path, int flags, mode_t mode, unsigned value) {
  for (;;) {
    if (flags != (O_CREAT | O_EXCL)) {
      int found = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
      if (found >= 0) return found;
      if (errno != ENOENT || (flags & O_CREAT) == 0) return -errno;
    }
    int made = make(path, mode, value);
    if (made != -EEXIST || (flags & O_EXCL) != 0) return made;
  }
}

/* The mapping that this environment has of the file; NULL if none. What was opened last is what is opened again. */
static struct mapping *find_mapping(const struct environment *environment, const struct stat *file) {
  for (size_t i = environment->placed.count; i-- > 0;) {
    const struct placed *placed = environment->placed.entries[i].value;
    struct mapping *mapping = placed->mapping;
    if (mapping->inode == file->st_ino && mapping->device == file->st_dev && !mapping_is_lost(mapping)) return mapping;
  }
  return NULL;
}

/* With a hold for the caller. 0 or -errno. */
static int map(const struct environment *environment, int file, struct mapping **mapping) {
  struct stat found;
  if (fstat(file, &found) != 0) return -errno;
  if (found.st_size < (off_t)sizeof(sem_t)) return -EINVAL;
  *mapping = find_mapping(environment, &found);
  if (*mapping != NULL) {
    mapping_hold(*mapping);
    return 0;
  }
  *mapping = mapping_create(sizeof(sem_t), true);
  if (*mapping == NULL) return -ENOMEM;
  void *base = mmap(NULL, (*mapping)->length, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  int failure = base == MAP_FAILED ? -errno : mapping_guard(*mapping, base);
  if (failure != 0) {
    free(*mapping);
    return failure;
  }
  (*mapping)->device = found.st_dev;
  (*mapping)->inode = found.st_ino;
  atomic_store(&(*mapping)->range_holders, 1);
  atomic_store(&(*mapping)->record_holders, 1);
  return 0;
}

int64_t posix_sem_open(struct call *call) {
  struct text name;
  char path[PATH_BYTES];
  struct mapping *mapping = NULL;
  call_text(call, 0, "name", &name);
  int64_t flags = call_integer_or(call, 1, "oflag", 0, INT32_MAX, EINVAL);
  int64_t mode = call_integer(call, 2, "mode", 0, 07777);
  int64_t value = call_integer_or(call, 3, "value", 0, UINT32_MAX, EINVAL);
  if (call->stopped) return 0;
  /* The C library passes others on to open(2): O_TRUNC would take it away from all who have it. */
  if ((flags & ~(O_CREAT | O_EXCL)) != 0) return -EINVAL;
  int failure = path_of(name.bytes, path);
  if (failure != 0) return failure;
  int file = find_or_make(path, (int)flags, (mode_t)mode, (unsigned)value);
  if (file < 0) return file;
  failure = map(call->environment, file, &mapping);
  close(file);
  return failure != 0 ? failure : placed_offer(call, PLACED_SEMAPHORE, mapping->base, mapping);
}

int64_t posix_sem_unlink(struct call *call) {
  struct text name;
  call_text(call, 0, "name", &name);
  if (call->stopped) return 0;
  return sem_unlink(name.bytes) == 0 ? 0 : -errno;
}
