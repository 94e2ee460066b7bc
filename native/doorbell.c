#include "doorbell.h"

#include <math.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "exports.h"
#include "mapping.h"

#define LONGEST_PARK_MS 1000.0

/* Kernel interface, from <linux/futex.h>, which musl's development package lacks. */
#define FUTEX_WAIT_BITSET 9
#define FUTEX_WAKE_BITSET 10

int futex_wake(atomic_uint_least32_t *word, int32_t mask) {
  long woken = syscall(SYS_futex, word, FUTEX_WAKE_BITSET, INT32_MAX, NULL, NULL, mask);
  return woken < 0 ? -errno : (int)woken;
}

int futex_wait(atomic_uint_least32_t *word, uint32_t expected, int32_t sleeper, const struct timespec *timeout) {
  /* FUTEX_WAIT_BITSET takes an absolute time on the monotonic clock. */
  struct timespec end;
  clock_gettime(CLOCK_MONOTONIC, &end);
  end.tv_sec += timeout->tv_sec;
  end.tv_nsec += timeout->tv_nsec;
  if (end.tv_nsec >= 1000000000) {
    end.tv_sec += 1;
    end.tv_nsec -= 1000000000;
  }
  return syscall(SYS_futex, word, FUTEX_WAIT_BITSET, expected, &end, NULL, sleeper) == 0 ? 0 : -errno;
}

/* Sleeping and waking need the file's page itself; the private copies of a read-only mapping are nobody else's. */
static bool can_ring(struct call *call, const struct mapping *mapping) {
  if (!call->stopped && !mapping->writable) call_refuse(call, -EROFS);
  return !call->stopped;
}

int64_t wake_word(struct call *call) {
  struct mapping *mapping = call_mapping(call, 0);
  size_t offset = call_word(call, 1, "offsetBytes", mapping);
  uint32_t mask = call_bits(call, 2, "mask");
  if (mask == 0) call_range_error(call, "mask", "a number other than 0");
  if (!can_ring(call, mapping)) return 0;
  int answer = futex_wake(mapping_word(mapping, offset), (int32_t)mask);
  if (answer == -EFAULT) mapping_lose(mapping);
  return answer;
}

int64_t park_on_word(struct call *call) {
  struct mapping *mapping = call_mapping(call, 0);
  size_t offset = call_word(call, 1, "offsetBytes", mapping);
  uint32_t expected = call_bits(call, 2, "expected");
  double milliseconds = fmin(call_number(call, 3, "timeoutMs", 0), LONGEST_PARK_MS);
  if (!can_ring(call, mapping)) return 0;
  int64_t nanoseconds = (int64_t)(milliseconds * 1e6);
  const struct timespec timeout = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
  int answer = futex_wait(mapping_word(mapping, offset), expected, SLEEPER_SYNC, &timeout);
  if (answer == -EFAULT) mapping_lose(mapping);
  return answer;
}
