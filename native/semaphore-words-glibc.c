/*
 * Semaphores as glibc has them on 64-bit machines since 2.21, whose programs wait for and post the same ones; but not by its functions:
 * these end the process when the page goes just before they sleep, or when somebody writes over it. The rules are those of glibc: whoever
 * waits is counted beside the value, in one word with it, before the last look at the value; so whoever adds to the value sees either
 * the count, and wakes one, or is seen. Taking acquires, and giving releases.
 */
#include "semaphore-words.h"

#ifdef __GLIBC__
#include <limits.h>
#include <linux/futex.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "mapping.h"
#include "placed.h"

/* The lower half of `state` is the value, and the word that waiters sleep on; the upper half counts them. */
struct words {
  _Atomic uint64_t state;
  uint32_t kind;
};
#define WAITER (UINT64_C(1) << 32)
#define MOST SEM_VALUE_MAX

_Static_assert(sizeof(sem_t) == 32 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "another glibc's semaphore");

/* What sem_init writes: the futexes of one process are told apart by its addresses. */
enum { OF_ONE_PROCESS = 0, OF_SEVERAL = 128 };

static uint32_t value_of(uint64_t state) {
  return (uint32_t)state;
}

/* Its words and the flag of its futex calls, or -errno. Reading is also what finds out that the page is gone. */
static int look_at(const struct placed *semaphore, struct words **words) {
  *words = semaphore->object;
  uint32_t kind = *(volatile uint32_t *)&(*words)->kind;
  if (mapping_is_lost(semaphore->mapping)) return -EIO;
  if (kind != OF_ONE_PROCESS && kind != OF_SEVERAL) return -EINVAL;
  return kind == OF_ONE_PROCESS ? FUTEX_PRIVATE_FLAG : 0;
}

static int64_t unless_lost(const struct placed *semaphore, int64_t answer) {
  return mapping_is_lost(semaphore->mapping) ? -EIO : answer;
}

int64_t semaphore_take(const struct placed *semaphore) {
  struct words *words;
  int flag = look_at(semaphore, &words);
  if (flag < 0) return flag;
  uint64_t state = atomic_load_explicit(&words->state, memory_order_relaxed);
  while (value_of(state) != 0) {
    if (atomic_compare_exchange_weak_explicit(&words->state, &state, state - 1, memory_order_acquire, memory_order_relaxed)) {
      return unless_lost(semaphore, 0);
    }
  }
  return unless_lost(semaphore, -EAGAIN);
}

int64_t semaphore_give(const struct placed *semaphore) {
  struct words *words;
  int flag = look_at(semaphore, &words);
  if (flag < 0) return flag;
  uint64_t state = atomic_load_explicit(&words->state, memory_order_relaxed);
  do {
    if (value_of(state) >= MOST) return -EOVERFLOW;
  } while (!atomic_compare_exchange_weak_explicit(&words->state, &state, state + 1, memory_order_release, memory_order_relaxed));
  if (state >= WAITER) syscall(SYS_futex, &words->state, FUTEX_WAKE | flag, 1, NULL, NULL, 0);
  return unless_lost(semaphore, 0);
}

int64_t semaphore_value(const struct placed *semaphore) {
  struct words *words;
  int flag = look_at(semaphore, &words);
  if (flag < 0) return flag;
  uint32_t value = value_of(atomic_load_explicit(&words->state, memory_order_relaxed));
  return unless_lost(semaphore, value > MOST ? -EINVAL : (int64_t)value);
}

static struct timespec moment_in(double milliseconds) {
  struct timespec moment;
  clock_gettime(CLOCK_MONOTONIC, &moment);
  int64_t nanoseconds = moment.tv_nsec + (int64_t)(milliseconds * 1e6);
  return (struct timespec){.tv_sec = moment.tv_sec + nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
}

/* As one of those who are counted: 0, in which case it is no more, or -errno. */
static int64_t sleep_and_take(struct words *words, int flag, const struct timespec *end) {
  uint64_t state = atomic_load_explicit(&words->state, memory_order_relaxed);
  for (;;) {
    if (value_of(state) != 0) {
      const uint64_t taken = state - WAITER - 1;
      if (atomic_compare_exchange_weak_explicit(&words->state, &state, taken, memory_order_acquire, memory_order_relaxed)) return 0;
      continue;
    }
    if (syscall(SYS_futex, &words->state, FUTEX_WAIT_BITSET | flag, 0, end, NULL, FUTEX_BITSET_MATCH_ANY) != 0 && errno != EAGAIN) {
      return -errno;
    }
    state = atomic_load_explicit(&words->state, memory_order_relaxed);
  }
}

int64_t semaphore_wait(const struct placed *semaphore, double milliseconds) {
  struct words *words;
  int flag = look_at(semaphore, &words);
  if (flag < 0) return flag;
  const struct timespec end = moment_in(milliseconds);
  atomic_fetch_add_explicit(&words->state, WAITER, memory_order_relaxed);
  int64_t answer = mapping_is_lost(semaphore->mapping) ? -EIO : sleep_and_take(words, flag, &end);
  if (answer == -EFAULT) mapping_lose(semaphore->mapping);
  /* Of zeroes that nobody else has it is one too many, and harmless. */
  if (answer != 0) atomic_fetch_sub_explicit(&words->state, WAITER, memory_order_relaxed);
  return unless_lost(semaphore, answer == -ETIMEDOUT ? -EINTR : answer);
}
#endif
