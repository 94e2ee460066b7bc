/* spin: two processes hand a number to and fro, each spinning on the other's cache line. */
#include "bench.h"

#define BATCH 32
#define END UINT64_MAX

struct lines {
  _Alignas(LINE_BYTES) uint64_t ping;
  _Alignas(LINE_BYTES) uint64_t pong;
};

static void echo(void *argument) {
  struct lines *lines = argument;
  for (uint64_t last = 0;;) {
    uint64_t value = __atomic_load_n(&lines->ping, __ATOMIC_ACQUIRE);
    if (value == last) {
      relax();
      continue;
    }
    __atomic_store_n(&lines->pong, value, __ATOMIC_RELEASE);
    if (value == END) return;
    if (value != last + 1) fail("spin: %lu after %lu", value, last);
    last = value;
  }
}

int spin_main(int count, char **arguments) {
  struct run run = parse_run(count, arguments);
  struct lines *lines = shared_memory(sizeof *lines);
  fork_side(&run, echo, lines);
  struct samples samples = samples_for(&run);
  uint64_t trips = 0;
  while (samples_open(&samples)) {
    for (int i = 0; i < BATCH; i++) {
      __atomic_store_n(&lines->ping, ++trips, __ATOMIC_RELEASE);
      while (__atomic_load_n(&lines->pong, __ATOMIC_ACQUIRE) != trips) relax();
    }
    samples_add(&samples, BATCH);
  }
  __atomic_store_n(&lines->ping, END, __ATOMIC_RELEASE);
  join_sides();
  samples_report(&samples, (double)trips);
  return 0;
}
