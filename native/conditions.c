/*
 * Conditions of the C library in mapped memory, process-shared. Nobody waits in them here: a process that dies there can make
 * others wait for ever, the C library ends the process when the page goes just before it sleeps, and it gives back the mutex only
 * when nobody else has it. Whoever waits looks now and then; so only wake-ups for others are made, by a thread of its own,
 * since glibc's before 2.41 wait for those who died.
 */
#include "exports.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "environment.h"
#include "interruptible.h"
#include "mapping.h"
#include "mutexes.h"
#include "placed.h"

#define LONGEST_NAP_MS 50.0

static int initialise(pthread_cond_t *cond, int shared, clockid_t clock) {
  pthread_condattr_t attributes;
  int failure = pthread_condattr_init(&attributes);
  if (failure != 0) return -failure;
  failure = pthread_condattr_setpshared(&attributes, shared);
  if (failure == 0) failure = pthread_condattr_setclock(&attributes, clock);
  if (failure == 0) failure = pthread_cond_init(cond, &attributes);
  pthread_condattr_destroy(&attributes);
  return -failure;
}

/* What tells a condition of several processes from another, whose bytes the C library may take for addresses. */
static uint8_t difference[sizeof(pthread_cond_t)];
static uint8_t of_several[sizeof(pthread_cond_t)];
static pthread_once_t prepared = PTHREAD_ONCE_INIT;

static void learn_difference(void) {
  union {
    pthread_cond_t cond;
    uint8_t bytes[sizeof(pthread_cond_t)];
  } shared, private;
  memset(&shared, 0, sizeof shared);
  memset(&private, 0, sizeof private);
  initialise(&shared.cond, PTHREAD_PROCESS_SHARED, CLOCK_REALTIME);
  initialise(&private.cond, PTHREAD_PROCESS_PRIVATE, CLOCK_REALTIME);
  for (size_t i = 0; i < sizeof difference; i++) {
    difference[i] = shared.bytes[i] ^ private.bytes[i];
    of_several[i] = shared.bytes[i] & difference[i];
  }
}

static struct placed *call_condition(struct call *call) {
  struct placed *condition = call_placed(call, 0, "cond", PLACED_CONDITION);
  if (call->stopped) return NULL;
  const volatile uint8_t *bytes = condition->object;
  bool is_sound = true;
  for (size_t i = 0; i < sizeof difference; i++) is_sound = is_sound && (bytes[i] & difference[i]) == of_several[i];
  /* Reading it found out whether the page is gone. */
  if (mapping_is_lost(condition->mapping)) call_refuse(call, -EIO);
  else if (!condition->mapping->writable) call_refuse(call, -EROFS);
  else if (!is_sound) call_refuse(call, -EINVAL);
  return call->stopped ? NULL : condition;
}

static pthread_cond_t *call_condition_place(struct call *call, struct mapping **mapping) {
  pthread_once(&prepared, learn_difference);
  pthread_cond_t *cond = call_place(call, sizeof *cond, _Alignof(pthread_cond_t), mapping);
  /* Private pages reach nobody. */
  if (!call->stopped && !(*mapping)->writable) call_refuse(call, -EROFS);
  return cond;
}

int64_t posix_cond_init(struct call *call) {
  struct mapping *mapping;
  pthread_cond_t *cond = call_condition_place(call, &mapping);
  int64_t clock = call_integer_or(call, 2, "clock", 0, INT32_MAX, EINVAL);
  if (call->stopped) return 0;
  int failure = initialise(cond, PTHREAD_PROCESS_SHARED, (clockid_t)clock);
  if (failure != 0) return failure;
  mapping_hold(mapping);
  return placed_offer(call, PLACED_CONDITION, cond, mapping);
}

/* One that somebody has initialised. */
int64_t posix_cond_at(struct call *call) {
  struct mapping *mapping;
  pthread_cond_t *cond = call_condition_place(call, &mapping);
  if (call->stopped) return 0;
  mapping_hold(mapping);
  return placed_offer(call, PLACED_CONDITION, cond, mapping);
}

/* Not the C library's: that waits until nobody else waits. */
int64_t posix_cond_close(struct call *call) {
  return call_placed_close(call, "cond", PLACED_CONDITION);
}

/* Unlocks the mutex and sleeps for a moment; whoever called locks it again. */
int64_t posix_cond_nap(struct call *call) {
  call_condition(call);
  struct placed *mutex = call_mutex(call, 1);
  double milliseconds = fmin(call_number(call, 2, "timeoutMs", 0), LONGEST_NAP_MS);
  if (call->stopped) return 0;
  const struct timespec nap = {.tv_nsec = (long)(milliseconds * 1e6)};
  int64_t failure = mutex_unlock(mutex);
  if (failure == 0 && milliseconds > 0) nanosleep(&nap, NULL);
  return failure;
}

struct wake_up {
  struct interruptible base;
  struct placed *condition;
  bool broadcasts;
};

static void dispose(struct interruptible *wanted) {
  placed_release(((struct wake_up *)wanted)->condition);
  free(wanted);
}

static int64_t wake(struct interruptible *wanted) {
  const struct wake_up *work = (struct wake_up *)wanted;
  pthread_cond_t *cond = work->condition->object;
  return -(work->broadcasts ? pthread_cond_broadcast(cond) : pthread_cond_signal(cond));
}

int64_t posix_cond_signal(struct call *call) {
  struct placed *condition = call_condition(call);
  bool broadcasts = call_boolean(call, 1, "broadcasts");
  if (call->stopped) return 0;
  struct wake_up *work = calloc(1, sizeof *work);
  if (work == NULL) return -ENOMEM;
  placed_hold(condition);
  *work = (struct wake_up){.condition = condition, .broadcasts = broadcasts};
  work->base.attempt = wake;
  work->base.dispose = dispose;
  work->base.is_unreferenced = true;
  work->base.may_be_left = true;
  return interruptible_start(call, "shmkit:pthread_cond_signal", &work->base);
}
