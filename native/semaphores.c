#include "semaphores.h"

#include <fcntl.h>
#include <math.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "environment.h"
#include "exports.h"
#include "interruptible.h"
#include "mapping.h"

#define LONGEST_PARK_MS 50.0

struct semaphore {
  sem_t *sem;
  /* Where it is, or NULL for one with a name. */
  struct mapping *mapping;
  uint32_t id;
  atomic_int holders;
};

static void release(struct semaphore *semaphore) {
  if (atomic_fetch_sub(&semaphore->holders, 1) != 1) return;
  if (semaphore->mapping == NULL) {
    sem_close(semaphore->sem);
  } else {
    mapping_release(semaphore->mapping);
  }
  free(semaphore);
}

void semaphore_close(struct environment *environment, struct semaphore *semaphore) {
  table_remove(&environment->semaphores, semaphore->id);
  release(semaphore);
}

/* Gives it its number; takes it over, in case of failure too. */
static int64_t offer(struct call *call, sem_t *sem, struct mapping *mapping) {
  struct semaphore *semaphore = malloc(sizeof *semaphore);
  if (semaphore == NULL) {
    if (mapping == NULL) sem_close(sem);
    return -ENOMEM;
  }
  if (mapping != NULL) mapping_hold(mapping);
  *semaphore = (struct semaphore){.sem = sem, .mapping = mapping};
  atomic_store(&semaphore->holders, 1);
  semaphore->id = table_add(&call->environment->semaphores, semaphore);
  if (semaphore->id != 0) return semaphore->id;
  release(semaphore);
  return -ENOMEM;
}

static struct semaphore *call_semaphore(struct call *call, size_t index) {
  uint32_t id = (uint32_t)call_integer(call, index, "sem", 1, UINT32_MAX);
  if (call->stopped) return NULL;
  struct semaphore *semaphore = table_find(&call->environment->semaphores, id);
  /* In memory that was unmapped, or taken away, it is one that nobody else has. */
  if (semaphore == NULL || (semaphore->mapping != NULL && environment_mapping(call->environment, semaphore->mapping->id) == NULL)) {
    call_refuse(call, -EINVAL);
  } else if (semaphore->mapping != NULL && mapping_is_lost(semaphore->mapping)) {
    call_refuse(call, -EIO);
  }
  return call->stopped ? NULL : semaphore;
}

int64_t posix_sem_open(struct call *call) {
  struct text name;
  call_text(call, 0, "name", &name);
  int64_t flags = call_integer(call, 1, "oflag", 0, INT32_MAX);
  int64_t mode = call_integer(call, 2, "mode", 0, 07777);
  int64_t value = call_integer(call, 3, "value", 0, UINT32_MAX);
  if (call->stopped) return 0;
  sem_t *sem = sem_open(name.bytes, (int)flags, (mode_t)mode, (unsigned)value);
  return sem == SEM_FAILED ? -errno : offer(call, sem, NULL);
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
  return offer(call, sem, mapping);
}

/* One that somebody has initialised. */
int64_t posix_sem_at(struct call *call) {
  struct mapping *mapping;
  sem_t *sem = call_place(call, &mapping);
  return call->stopped ? 0 : offer(call, sem, mapping);
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

/* Waits on the calling thread, for 50 ms at most. */
int64_t posix_sem_park(struct call *call) {
  struct semaphore *semaphore = call_semaphore(call, 0);
  double milliseconds = fmin(call_number(call, 1, "timeoutMs", 0), LONGEST_PARK_MS);
  if (call->stopped) return 0;
  struct timespec end;
  clock_gettime(CLOCK_REALTIME, &end);
  end.tv_nsec += (long)(milliseconds * 1e6);
  if (end.tv_nsec >= 1000000000) {
    end.tv_sec += 1;
    end.tv_nsec -= 1000000000;
  }
  return sem_timedwait(semaphore->sem, &end) == 0 ? 0 : -errno;
}

struct semaphore_wait {
  struct interruptible base;
  struct semaphore *semaphore;
};

static int64_t wait_for_semaphore(struct interruptible *wanted) {
  return sem_wait(((struct semaphore_wait *)wanted)->semaphore->sem) == 0 ? 0 : -errno;
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
