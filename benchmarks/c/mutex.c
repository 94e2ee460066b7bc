/* mutex: takes and frees a lock that nobody else wants: a compare-exchange, and an exchange that would show a sleeper. */
#include "bench.h"

#define BATCH 64

struct guarded {
  _Alignas(LINE_BYTES) uint32_t lock;
  volatile uint32_t count;
};

int mutex_main(int count, char **arguments) {
  struct run run = parse_run(count, arguments);
  pin_to(run.cores[0]);
  struct guarded *guarded = shared_memory(sizeof *guarded);
  struct samples samples = samples_for(&run);
  uint64_t pairs = 0;
  while (samples_open(&samples)) {
    for (int i = 0; i < BATCH; i++, pairs++) {
      uint32_t unlocked = 0;
      if (!__atomic_compare_exchange_n(&guarded->lock, &unlocked, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) fail("mutex: taken");
      guarded->count++;
      if (__atomic_exchange_n(&guarded->lock, 0, __ATOMIC_SEQ_CST) != 1) fail("mutex: a sleeper");
    }
    samples_add(&samples, BATCH);
  }
  if (guarded->count != (uint32_t)pairs) fail("mutex: %u of %lu", guarded->count, pairs);
  samples_report(&samples, (double)pairs);
  return 0;
}
