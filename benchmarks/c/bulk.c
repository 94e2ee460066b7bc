/* bulk: blocks of 1 MiB, copied into shared memory by one process and out of it by the other, two places in turn. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES (1u << 20)
#define BLOCK_WORDS (BLOCK_BYTES / 4)
#define PLACES 2u

struct places {
  _Alignas(LINE_BYTES) uint64_t sent;
  _Alignas(LINE_BYTES) uint64_t received;
  _Alignas(4096) uint32_t blocks[PLACES][BLOCK_WORDS];
};

static struct run run;

static uint32_t *private_block(void) {
  uint32_t *block = aligned_alloc(4096, BLOCK_BYTES);
  if (block == NULL) fail("no memory");
  memset(block, 1, BLOCK_BYTES);
  return block;
}

static void send_all(void *argument) {
  struct places *places = argument;
  uint32_t *block = private_block();
  uint64_t until = now_ns() + (uint64_t)((run.warm_ms + run.measure_ms) * 1e6);
  for (uint64_t sent = 0;; sent++) {
    uint32_t last = now_ns() >= until;
    block[0] = (uint32_t)sent;
    block[1] = last;
    block[BLOCK_WORDS - 1] = ~(uint32_t)sent;
    while (sent - __atomic_load_n(&places->received, __ATOMIC_ACQUIRE) == PLACES) relax();
    memcpy(places->blocks[sent % PLACES], block, BLOCK_BYTES);
    __atomic_store_n(&places->sent, sent + 1, __ATOMIC_RELEASE);
    if (last) return;
  }
}

int bulk_main(int count, char **arguments) {
  run = parse_run(count, arguments);
  struct places *places = shared_memory(sizeof *places);
  fork_side(&run, send_all, places);
  uint32_t *block = private_block();
  struct stopwatch watch = {0};
  uint64_t received = 0;
  for (;; received++) {
    stopwatch_look(&watch, &run, received);
    while (__atomic_load_n(&places->sent, __ATOMIC_ACQUIRE) == received) relax();
    memcpy(block, places->blocks[received % PLACES], BLOCK_BYTES);
    __atomic_store_n(&places->received, received + 1, __ATOMIC_RELEASE);
    if (block[0] != (uint32_t)received || block[BLOCK_WORDS - 1] != ~(uint32_t)received) fail("bulk: block %lu", received);
    if (block[1]) break;
  }
  double rate = stopwatch_rate(&watch, &run, received);
  join_sides();
  report_rate(rate * BLOCK_BYTES, (double)received);
  return 0;
}
