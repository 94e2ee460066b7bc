/*
 * pthread: what POSIX has for processes, in shared memory: a robust mutex, a lock for readers and writers, a semaphore,
 * condition variables. Of these only the mutex survives the death of a process.
 */
#include "bench.h"

#include <pthread.h>
#include <semaphore.h>
#include <string.h>

#define BATCH 64
#define TURNS 32

struct shared {
  pthread_mutex_t mutex;
  _Alignas(LINE_BYTES) pthread_rwlock_t rwlock;
  _Alignas(LINE_BYTES) sem_t semaphore;
  _Alignas(LINE_BYTES) pthread_cond_t came[2];
  _Alignas(LINE_BYTES) volatile uint64_t count;
  _Alignas(LINE_BYTES) volatile uint64_t near_count;
  _Alignas(LINE_BYTES) volatile uint64_t far_count;
  _Alignas(LINE_BYTES) volatile int turn;
  volatile int over;
};

static struct run run;

static void must(int error, const char *what) {
  if (error != 0) fail("%s: %s", what, strerror(error));
}

void robust_mutex(pthread_mutex_t *mutex) {
  pthread_mutexattr_t attributes;
  must(pthread_mutexattr_init(&attributes), "pthread_mutexattr_init");
  must(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED), "pthread_mutexattr_setpshared");
  must(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST), "pthread_mutexattr_setrobust");
  must(pthread_mutex_init(mutex, &attributes), "pthread_mutex_init");
}

static struct shared *make_shared(void) {
  struct shared *shared = shared_memory(sizeof *shared);
  robust_mutex(&shared->mutex);
  pthread_rwlockattr_t of_rwlock;
  must(pthread_rwlockattr_init(&of_rwlock), "pthread_rwlockattr_init");
  must(pthread_rwlockattr_setpshared(&of_rwlock, PTHREAD_PROCESS_SHARED), "pthread_rwlockattr_setpshared");
  must(pthread_rwlock_init(&shared->rwlock, &of_rwlock), "pthread_rwlock_init");
  pthread_condattr_t of_condition;
  must(pthread_condattr_init(&of_condition), "pthread_condattr_init");
  must(pthread_condattr_setpshared(&of_condition, PTHREAD_PROCESS_SHARED), "pthread_condattr_setpshared");
  for (int side = 0; side < 2; side++) must(pthread_cond_init(&shared->came[side], &of_condition), "pthread_cond_init");
  if (sem_init(&shared->semaphore, 1, 1) != 0) fail("sem_init");
  return shared;
}

static void lock(struct shared *shared) {
  must(pthread_mutex_lock(&shared->mutex), "pthread_mutex_lock");
}
static void unlock(struct shared *shared) {
  must(pthread_mutex_unlock(&shared->mutex), "pthread_mutex_unlock");
}
static void lock_to_read(struct shared *shared) {
  must(pthread_rwlock_rdlock(&shared->rwlock), "pthread_rwlock_rdlock");
}
static void unlock_rwlock(struct shared *shared) {
  must(pthread_rwlock_unlock(&shared->rwlock), "pthread_rwlock_unlock");
}
static void take(struct shared *shared) {
  if (sem_wait(&shared->semaphore) != 0) fail("sem_wait");
}
static void give(struct shared *shared) {
  if (sem_post(&shared->semaphore) != 0) fail("sem_post");
}

/* In and out again, without others who want the same. Inlined, so that it costs what the calls cost. */
__attribute__((always_inline)) static inline void pairs(struct shared *shared, void (*in)(struct shared *),
                                                        void (*out)(struct shared *)) {
  struct samples samples = samples_for(&run);
  uint64_t count = 0;
  while (samples_open(&samples)) {
    for (int i = 0; i < BATCH; i++, count++) {
      in(shared);
      shared->near_count++;
      out(shared);
    }
    samples_add(&samples, BATCH);
  }
  if (shared->near_count != count) fail("counted %lu of %lu", shared->near_count, count);
  samples_report(&samples, (double)count);
}

/* The other reader of two: reads until the first one has read enough. */
static void read_on(void *argument) {
  struct shared *shared = argument;
  while (!shared->over) {
    lock_to_read(shared);
    shared->far_count++;
    unlock_rwlock(shared);
  }
}

static void read_by_two(struct shared *shared) {
  fork_side(&run, read_on, shared);
  while (shared->far_count == 0) relax();
  pairs(shared, lock_to_read, unlock_rwlock);
  shared->over = 1;
  join_sides();
}

/* Two processes lock all the time: the time per lock, whoever has it. */
static void contend(struct shared *shared) {
  struct samples samples = samples_for(&run);
  while (samples_open(&samples)) {
    uint64_t before = shared->count;
    for (int i = 0; i < BATCH; i++) {
      lock(shared);
      shared->count++;
      shared->near_count++;
      unlock(shared);
    }
    samples_add(&samples, (int)(shared->count - before));
  }
  lock(shared);
  shared->over = 1;
  unlock(shared);
  join_sides();
  if (shared->count != shared->near_count + shared->far_count) fail("lost counts");
  samples_report(&samples, (double)shared->count);
}

static void contend_too(void *argument) {
  struct shared *shared = argument;
  for (int over = 0; !over;) {
    lock(shared);
    over = shared->over;
    shared->count++;
    shared->far_count++;
    unlock(shared);
  }
}

/* Gives the turn away and waits until it is back. */
static void pass_turn(struct shared *shared, int side) {
  shared->turn = 1 - side;
  must(pthread_cond_signal(&shared->came[1 - side]), "pthread_cond_signal");
  while (shared->turn != side) must(pthread_cond_wait(&shared->came[side], &shared->mutex), "pthread_cond_wait");
}

static void answer_turns(void *argument) {
  struct shared *shared = argument;
  lock(shared);
  while (shared->turn != 1) must(pthread_cond_wait(&shared->came[1], &shared->mutex), "pthread_cond_wait");
  while (!shared->over) {
    shared->far_count++;
    pass_turn(shared, 1);
  }
  unlock(shared);
}

static void take_turns(struct shared *shared) {
  struct samples samples = samples_for(&run);
  uint64_t count = 0;
  while (samples_open(&samples)) {
    for (int i = 0; i < TURNS; i++, count++) {
      lock(shared);
      pass_turn(shared, 0);
      unlock(shared);
    }
    samples_add(&samples, TURNS);
  }
  lock(shared);
  shared->over = 1;
  shared->turn = 1;
  must(pthread_cond_signal(&shared->came[1]), "pthread_cond_signal");
  unlock(shared);
  join_sides();
  if (shared->far_count != count) fail("answered %lu of %lu turns", shared->far_count, count);
  samples_report(&samples, (double)count);
}

int pthread_main(int count, char **arguments) {
  run = parse_run(count, arguments);
  if (count < 2) fail("usage: pthread WHAT");
  const char *what = arguments[1];
  struct shared *shared = make_shared();
  pin_to(run.cores[0]);
  if (strcmp(what, "mutex") == 0) pairs(shared, lock, unlock);
  else if (strcmp(what, "read") == 0) pairs(shared, lock_to_read, unlock_rwlock);
  else if (strcmp(what, "read-by-two") == 0) read_by_two(shared);
  else if (strcmp(what, "semaphore") == 0) pairs(shared, take, give);
  else if (strcmp(what, "contended") == 0) {
    fork_side(&run, contend_too, shared);
    while (shared->far_count == 0) relax();
    contend(shared);
  } else if (strcmp(what, "condition") == 0) {
    fork_side(&run, answer_turns, shared);
    take_turns(shared);
  } else fail("there is no %s", what);
  return 0;
}
