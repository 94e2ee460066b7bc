/* POSIX semaphores: by name, or in memory that is mapped. */
#include "exports.h"

#include <fcntl.h>
#include <math.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "interruptible.h"
#include "mapping.h"
#include "placed.h"
#include "semaphore-words.h"

#define LONGEST_PARK_MS 50.0
#define BLIND_SLEEP_MS 1000.0

/* Where the C library keeps named semaphores, in a folder that both take for the same. */
#ifdef __GLIBC__
#define NAME_PREFIX "/dev/shm/sem."
#else
#define NAME_PREFIX "/dev/shm/"
#endif

/*
 * A mapping of the file of a named semaphore. Not the C library's: that is of whatever length the file has, and an access
 * behind its end ends the process. 0 or -errno.
 */
static int map_named(const char *name, struct mapping **mapping) {
  char path[sizeof NAME_PREFIX + MAX_TEXT_BYTES];
  struct stat found;
  while (*name == '/') name++;
  snprintf(path, sizeof path, NAME_PREFIX "%s", name);
  int file = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
  if (file < 0) return -errno;
  int failure = fstat(file, &found) != 0 ? -errno : found.st_size < (off_t)sizeof(sem_t) ? -EINVAL : 0;
  *mapping = failure == 0 ? mapping_create(sizeof(sem_t), true) : NULL;
  if (failure == 0 && *mapping == NULL) failure = -ENOMEM;
  if (failure == 0) {
    void *base = mmap(NULL, (*mapping)->length, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    failure = base == MAP_FAILED ? -errno : mapping_guard(*mapping, base);
    if (failure != 0) free(*mapping);
  }
  close(file);
  if (failure != 0) return failure;
  atomic_store(&(*mapping)->range_holders, 1);
  atomic_store(&(*mapping)->record_holders, 1);
  return 0;
}

int64_t posix_sem_open(struct call *call) {
  struct text name;
  struct mapping *mapping = NULL;
  call_text(call, 0, "name", &name);
  int64_t flags = call_integer(call, 1, "oflag", 0, INT32_MAX);
  int64_t mode = call_integer(call, 2, "mode", 0, 07777);
  int64_t value = call_integer(call, 3, "value", 0, UINT32_MAX);
  if (call->stopped) return 0;
  /* The C library passes others on to open(2): O_TRUNC would take it away from all who have it. */
  if ((flags & ~(O_CREAT | O_EXCL)) != 0) return -EINVAL;
  sem_t *sem = sem_open(name.bytes, (int)flags, (mode_t)mode, (unsigned)value);
  if (sem == SEM_FAILED) return -errno;
  int failure = map_named(name.bytes, &mapping);
  sem_close(sem);
  return failure != 0 ? failure : placed_offer(call, PLACED_SEMAPHORE, mapping->base, mapping);
}

int64_t posix_sem_unlink(struct call *call) {
  struct text name;
  call_text(call, 0, "name", &name);
  if (call->stopped) return 0;
  return sem_unlink(name.bytes) == 0 ? 0 : -errno;
}

int64_t posix_sem_init(struct call *call) {
  struct mapping *mapping;
  sem_t *sem = call_place(call, sizeof *sem, _Alignof(sem_t), &mapping);
  bool shared = call_boolean(call, 2, "pshared");
  int64_t value = call_integer(call, 3, "value", 0, UINT32_MAX);
  if (call->stopped) return 0;
  if (sem_init(sem, shared ? 1 : 0, (unsigned)value) != 0) return -errno;
  mapping_hold(mapping);
  return placed_offer(call, PLACED_SEMAPHORE, sem, mapping);
}

/* One that somebody has initialised. */
int64_t posix_sem_at(struct call *call) {
  struct mapping *mapping;
  sem_t *sem = call_place(call, sizeof *sem, _Alignof(sem_t), &mapping);
  if (call->stopped) return 0;
  mapping_hold(mapping);
  return placed_offer(call, PLACED_SEMAPHORE, sem, mapping);
}

int64_t posix_sem_close(struct call *call) {
  return call_placed_close(call, "sem", PLACED_SEMAPHORE);
}

int64_t posix_sem_trywait(struct call *call) {
  const struct placed *semaphore = call_placed(call, 0, "sem", PLACED_SEMAPHORE);
  return call->stopped ? 0 : semaphore_take(semaphore);
}

int64_t posix_sem_post(struct call *call) {
  const struct placed *semaphore = call_placed(call, 0, "sem", PLACED_SEMAPHORE);
  return call->stopped ? 0 : semaphore_give(semaphore);
}

int64_t posix_sem_getvalue(struct call *call) {
  const struct placed *semaphore = call_placed(call, 0, "sem", PLACED_SEMAPHORE);
  return call->stopped ? 0 : semaphore_value(semaphore);
}

/* Waits on the calling thread, for 50 ms at most. */
int64_t posix_sem_park(struct call *call) {
  const struct placed *semaphore = call_placed(call, 0, "sem", PLACED_SEMAPHORE);
  double milliseconds = fmin(call_number(call, 1, "timeoutMs", 0), LONGEST_PARK_MS);
  return call->stopped ? 0 : semaphore_wait(semaphore, milliseconds);
}

struct semaphore_wait {
  struct interruptible base;
  struct placed *semaphore;
};

/* Nothing wakes a sleeper of a page that was truncated away: it looks for itself now and then. */
static int64_t wait_for_semaphore(struct interruptible *wanted) {
  return semaphore_wait(((struct semaphore_wait *)wanted)->semaphore, BLIND_SLEEP_MS);
}

static void dispose_wait(struct interruptible *wanted) {
  placed_release(((struct semaphore_wait *)wanted)->semaphore);
  free(wanted);
}

int64_t posix_sem_wait(struct call *call) {
  struct placed *semaphore = call_placed(call, 0, "sem", PLACED_SEMAPHORE);
  if (call->stopped) return 0;
  struct semaphore_wait *wait = calloc(1, sizeof *wait);
  if (wait == NULL) return -ENOMEM;
  placed_hold(semaphore);
  wait->semaphore = semaphore;
  wait->base.attempt = wait_for_semaphore;
  wait->base.dispose = dispose_wait;
  return interruptible_start(call, "shmkit:sem_wait", &wait->base);
}
