/* POSIX semaphores, in memory that is mapped. How those with names are found there is in named-semaphores.c. */
#include "exports.h"

#include <math.h>
#include <semaphore.h>
#include <stdlib.h>

#include "interruptible.h"
#include "mapping.h"
#include "placed.h"
#include "semaphore-words.h"

#define LONGEST_PARK_MS 50.0
#define BLIND_SLEEP_MS 1000.0

int64_t posix_sem_init(struct call *call) {
  struct mapping *mapping;
  sem_t *sem = call_place(call, sizeof *sem, _Alignof(sem_t), &mapping);
  bool shared = call_boolean(call, 2, "pshared");
  int64_t value = call_integer_or(call, 3, "value", 0, UINT32_MAX, EINVAL);
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
