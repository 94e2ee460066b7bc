/* Semaphores of other C libraries, by their own functions: those of musl survive whatever happens to the page. */
#include "semaphore-words.h"

#ifndef __GLIBC__
#include <semaphore.h>

#include "interruptible.h"
#include "mapping.h"
#include "placed.h"

/* Reading it is what finds out that the page is gone. */
static bool is_lost(const struct placed *semaphore) {
  (void)*(const volatile uint32_t *)(const volatile void *)semaphore->object;
  return mapping_is_lost(semaphore->mapping);
}

static int64_t answer_of(const struct placed *semaphore, int result) {
  int64_t answer = result == 0 ? 0 : -errno;
  return mapping_is_lost(semaphore->mapping) ? -EIO : answer;
}

int64_t semaphore_take(const struct placed *semaphore) {
  return is_lost(semaphore) ? -EIO : answer_of(semaphore, sem_trywait(semaphore->object));
}

int64_t semaphore_give(const struct placed *semaphore) {
  return is_lost(semaphore) ? -EIO : answer_of(semaphore, sem_post(semaphore->object));
}

int64_t semaphore_value(const struct placed *semaphore) {
  int value = 0;
  if (is_lost(semaphore)) return -EIO;
  int64_t failure = answer_of(semaphore, sem_getvalue(semaphore->object, &value));
  return failure != 0 ? failure : value;
}

int64_t semaphore_wait(const struct placed *semaphore, double milliseconds) {
  struct interrupt_timer timer;
  if (is_lost(semaphore)) return -EIO;
  /* Not sem_timedwait: setting its clock back would prolong the wait. */
  int failure = interrupt_timer_begin(&timer, milliseconds);
  if (failure != 0) return failure;
  int64_t answer = answer_of(semaphore, sem_wait(semaphore->object));
  interrupt_timer_end(&timer);
  return answer;
}
#endif
