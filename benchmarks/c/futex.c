/* futex trips | wakes: two processes that sleep until the other one wakes them; the round trip, or the wake-up alone. */
#include "bench.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define END UINT32_MAX

struct words {
  _Alignas(LINE_BYTES) uint32_t ping;
  _Alignas(LINE_BYTES) uint32_t pong;
  _Alignas(LINE_BYTES) uint64_t stamp;
};

static struct run run;

static uint32_t sleep_while(uint32_t *word, uint32_t value) {
  for (;;) {
    uint32_t found = __atomic_load_n(word, __ATOMIC_SEQ_CST);
    if (found != value) return found;
    syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0);
  }
}

static void wake(uint32_t *word, uint32_t value) {
  __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
  syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void echo(void *argument) {
  struct words *words = argument;
  for (uint32_t last = 0; last != END;) {
    uint32_t value = sleep_while(&words->ping, last);
    if (value != last + 1 && value != END) fail("futex: %u after %u", value, last);
    last = value;
    wake(&words->pong, value);
  }
}

static void trips(struct words *words) {
  fork_side(&run, echo, words);
  struct samples samples = samples_for(&run);
  uint32_t count = 0;
  while (samples_open(&samples)) {
    wake(&words->ping, ++count);
    if (sleep_while(&words->pong, count - 1) != count) fail("futex: not %u", count);
    samples_add(&samples, 1);
  }
  wake(&words->ping, END);
  join_sides();
  samples_report(&samples, count);
}

static void wake_again_and_again(void *argument) {
  struct words *words = argument;
  uint64_t until = now_ns() + (uint64_t)((run.warm_ms + run.measure_ms) * 1e6);
  for (uint32_t count = 1; now_ns() < until; count++) {
    pause_us(WAKE_INTERVAL_US);
    words->stamp = now_ns();
    wake(&words->ping, count);
  }
  pause_us(WAKE_INTERVAL_US);
  wake(&words->ping, END);
}

static void wakes(struct words *words) {
  fork_side(&run, wake_again_and_again, words);
  struct samples samples = samples_for(&run);
  uint32_t count = 0;
  for (;;) {
    uint32_t value = sleep_while(&words->ping, count);
    samples.last = now_ns();
    if (value == END) break;
    /* One that came before this one had looked is no wake-up, but counts. */
    if (value < count + 1) fail("futex: %u after %u", value, count);
    count = value;
    samples_put(&samples, (double)(samples.last - words->stamp));
  }
  join_sides();
  samples_report(&samples, count);
}

int futex_main(int count, char **arguments) {
  run = parse_run(count, arguments);
  struct words *words = shared_memory(sizeof *words);
  if (strcmp(arguments[1], "wakes") == 0) wakes(words);
  else trips(words);
  return 0;
}
