#include "semaphores.h"

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

#include "environment.h"
#include "exports.h"
#include "interruptible.h"
#include "mapping.h"

#define LONGEST_PARK_MS 50.0
#define BLIND_SLEEP_MS 1000.0

struct semaphore {
  sem_t *sem;
  /* Where it is: memory of the user's, or a mapping of its own for one with a name. */
  struct mapping *mapping;
  bool has_name;
  uint32_t id;
  atomic_int holders;
};

static void release(struct semaphore *semaphore) {
  if (atomic_fetch_sub(&semaphore->holders, 1) != 1) return;
  mapping_release(semaphore->mapping);
  free(semaphore);
}

void semaphore_close(struct environment *environment, struct semaphore *semaphore) {
  table_remove(&environment->semaphores, semaphore->id);
  release(semaphore);
}

/* Gives it its number; takes over a hold of the mapping, in case of failure too. */
static int64_t offer(struct call *call, sem_t *sem, struct mapping *mapping, bool has_name) {
  struct semaphore *semaphore = malloc(sizeof *semaphore);
  if (semaphore == NULL) {
    mapping_release(mapping);
    return -ENOMEM;
  }
  *semaphore = (struct semaphore){.sem = sem, .mapping = mapping, .has_name = has_name};
  atomic_store(&semaphore->holders, 1);
  semaphore->id = table_add(&call->environment->semaphores, semaphore);
  if (semaphore->id != 0) return semaphore->id;
  release(semaphore);
  return -ENOMEM;
}

/*
 * Whether the C library survives what lies there: glibc ends the process over a semaphore whose third word is neither of
 * the two that sem_init writes. 0 or -errno. Reading it is also what finds out that the page is gone.
 */
static int check_contents(const struct semaphore *semaphore) {
#ifdef __GLIBC__
  enum { OF_ONE_PROCESS = 0, OF_SEVERAL = 128, KIND = 2 };
  const volatile uint32_t *words = (const volatile uint32_t *)(const volatile void *)semaphore->sem;
  uint32_t kind = words[KIND];
  bool is_sound = kind == OF_ONE_PROCESS || kind == OF_SEVERAL;
#else
  (void)*(const volatile uint32_t *)(const volatile void *)semaphore->sem;
  bool is_sound = true;
#endif
  if (mapping_is_lost(semaphore->mapping)) return -EIO;
  return is_sound ? 0 : -EINVAL;
}

static struct semaphore *call_semaphore(struct call *call, size_t index) {
  uint32_t id = (uint32_t)call_integer(call, index, "sem", 1, UINT32_MAX);
  if (call->stopped) return NULL;
  struct semaphore *semaphore = table_find(&call->environment->semaphores, id);
  /* In memory that was unmapped it is one that nobody else has. */
  if (semaphore == NULL || (!semaphore->has_name && environment_mapping(call->environment, semaphore->mapping->id) == NULL)) {
    call_refuse(call, -EINVAL);
    return NULL;
  }
  int failure = check_contents(semaphore);
  if (failure != 0) call_refuse(call, failure);
  return call->stopped ? NULL : semaphore;
}

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
  return failure != 0 ? failure : offer(call, (sem_t *)(void *)mapping->base, mapping, true);
}

int64_t posix_sem_unlink(struct call *call) {
  struct text name;
  call_text(call, 0, "name", &name);
  if (call->stopped) return 0;
  return sem_unlink(name.bytes) == 0 ? 0 : -errno;
}

/* Arguments 0 and 1: mapping, offset. */
static sem_t *call_place(struct call *call, struct mapping **mapping) {
  *mapping = call_mapping(call, 0);
  int64_t offset = call_integer(call, 1, "offset", 0, MAX_SAFE_INTEGER);
  if (call->stopped) return NULL;
  if (offset % (int64_t)_Alignof(sem_t) != 0 || !mapping_contains(*mapping, (uint64_t)offset, sizeof(sem_t))) call_refuse(call, -EINVAL);
  else if (mapping_is_lost(*mapping)) call_refuse(call, -EIO);
  return call->stopped ? NULL : (sem_t *)(void *)((*mapping)->base + offset);
}

int64_t posix_sem_init(struct call *call) {
  struct mapping *mapping;
  sem_t *sem = call_place(call, &mapping);
  bool shared = call_boolean(call, 2, "pshared");
  int64_t value = call_integer(call, 3, "value", 0, UINT32_MAX);
  if (call->stopped) return 0;
  if (sem_init(sem, shared ? 1 : 0, (unsigned)value) != 0) return -errno;
  mapping_hold(mapping);
  return offer(call, sem, mapping, false);
}

/* One that somebody has initialised. */
int64_t posix_sem_at(struct call *call) {
  struct mapping *mapping;
  sem_t *sem = call_place(call, &mapping);
  if (call->stopped) return 0;
  mapping_hold(mapping);
  return offer(call, sem, mapping, false);
}

int64_t posix_sem_close(struct call *call) {
  uint32_t id = (uint32_t)call_integer(call, 0, "sem", 1, UINT32_MAX);
  if (call->stopped) return 0;
  struct semaphore *semaphore = table_find(&call->environment->semaphores, id);
  if (semaphore == NULL) return -EINVAL;
  semaphore_close(call->environment, semaphore);
  return 0;
}

int64_t posix_sem_trywait(struct call *call) {
  struct semaphore *semaphore = call_semaphore(call, 0);
  if (call->stopped) return 0;
  return sem_trywait(semaphore->sem) == 0 ? 0 : -errno;
}

int64_t posix_sem_post(struct call *call) {
  struct semaphore *semaphore = call_semaphore(call, 0);
  if (call->stopped) return 0;
  return sem_post(semaphore->sem) == 0 ? 0 : -errno;
}

int64_t posix_sem_getvalue(struct call *call) {
  struct semaphore *semaphore = call_semaphore(call, 0);
  int value = 0;
  if (call->stopped) return 0;
  if (sem_getvalue(semaphore->sem, &value) != 0) return -errno;
  /* Other systems count those who wait below zero. */
  return value < 0 ? 0 : value;
}

/* sem_wait for so long at most: -EINTR. Not sem_timedwait: setting its clock back would prolong the wait. */
static int64_t wait_for(struct semaphore *semaphore, double milliseconds) {
  struct interrupt_timer timer;
  int failure = check_contents(semaphore);
  if (failure == 0) failure = interrupt_timer_begin(&timer, milliseconds);
  if (failure != 0) return failure;
  int64_t answer = sem_wait(semaphore->sem) == 0 ? 0 : -errno;
  interrupt_timer_end(&timer);
  return answer;
}

/* Waits on the calling thread, for 50 ms at most. */
int64_t posix_sem_park(struct call *call) {
  struct semaphore *semaphore = call_semaphore(call, 0);
  double milliseconds = fmin(call_number(call, 1, "timeoutMs", 0), LONGEST_PARK_MS);
  return call->stopped ? 0 : wait_for(semaphore, milliseconds);
}

struct semaphore_wait {
  struct interruptible base;
  struct semaphore *semaphore;
};

/* Nothing wakes a sleeper of a page that was truncated away: it looks for itself now and then. */
static int64_t wait_for_semaphore(struct interruptible *wanted) {
  return wait_for(((struct semaphore_wait *)wanted)->semaphore, BLIND_SLEEP_MS);
}

static void dispose_wait(struct interruptible *wanted) {
  release(((struct semaphore_wait *)wanted)->semaphore);
  free(wanted);
}

int64_t posix_sem_wait(struct call *call) {
  struct semaphore *semaphore = call_semaphore(call, 0);
  if (call->stopped) return 0;
  struct semaphore_wait *wait = calloc(1, sizeof *wait);
  if (wait == NULL) return -ENOMEM;
  atomic_fetch_add(&semaphore->holders, 1);
  wait->semaphore = semaphore;
  wait->base.attempt = wait_for_semaphore;
  wait->base.dispose = dispose_wait;
  return interruptible_start(call, "shmkit:sem_wait", &wait->base);
}
