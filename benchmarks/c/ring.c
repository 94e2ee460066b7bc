/*
 * ring: messages of 64 bytes from one process to another, published one by one: a ring of slots, the two counters on
 * lines of their own, each side keeping the last value it saw of the other's.
 */
#include "bench.h"

#define SLOTS 1024u


struct ring {
  _Alignas(LINE_BYTES) uint64_t sent;
  _Alignas(LINE_BYTES) uint64_t received;
  _Alignas(LINE_BYTES) struct message slots[SLOTS];
};

static struct run run;

static void send_all(void *argument) {
  struct ring *ring = argument;
  uint64_t until = now_ns() + (uint64_t)((run.warm_ms + run.measure_ms) * 1e6);
  uint64_t received = 0;
  for (uint64_t sent = 0;; sent++) {
    uint32_t last = (sent & 1023) == 0 && now_ns() >= until;
    while (sent - received == SLOTS) {
      received = __atomic_load_n(&ring->received, __ATOMIC_ACQUIRE);
      if (sent - received == SLOTS) relax();
    }
    ring->slots[sent % SLOTS] = (struct message){.number = (uint32_t)sent, .last = last, .check = ~(uint32_t)sent};
    __atomic_store_n(&ring->sent, sent + 1, __ATOMIC_RELEASE);
    if (last) return;
  }
}

static void receive_all(struct ring *ring) {
  struct stopwatch watch = {0};
  uint64_t sent = 0, received = 0;
  for (;; received++) {
    while (sent == received) {
      sent = __atomic_load_n(&ring->sent, __ATOMIC_ACQUIRE);
      if (sent == received) relax();
    }
    struct message message = ring->slots[received % SLOTS];
    __atomic_store_n(&ring->received, received + 1, __ATOMIC_RELEASE);
    if (message.number != (uint32_t)received || message.check != ~message.number) fail("ring: message %lu is wrong", received);
    if (message.last) break;
    if ((received & 1023) == 0) stopwatch_look(&watch, &run, received);
  }
  double rate = stopwatch_rate(&watch, &run, received);
  join_sides();
  report_rate(rate, (double)received);
}

int ring_main(int count, char **arguments) {
  run = parse_run(count, arguments);
  struct ring *ring = shared_memory(sizeof *ring);
  fork_side(&run, send_all, ring);
  receive_all(ring);
  return 0;
}
