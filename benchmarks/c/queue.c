/*
 * queue: 64 bytes, two senders, two receivers: D. Vyukov's bounded queue, in which every cell has a sequence of its own.
 * It is fast and, unlike the library's pipe, blocks for ever when a sender dies in the middle.
 */
#include "bench.h"

#define CELLS 1024u
#define SENDERS 2
#define RECEIVERS 2

struct cell {
  _Alignas(LINE_BYTES) uint64_t sequence;
  struct message message;
};

struct queue {
  _Alignas(LINE_BYTES) uint64_t tail;
  _Alignas(LINE_BYTES) uint64_t head;
  _Alignas(LINE_BYTES) uint64_t sent[SENDERS];
  _Alignas(LINE_BYTES) uint64_t received[RECEIVERS][SENDERS];
  _Alignas(LINE_BYTES) double rates[RECEIVERS];
  _Alignas(LINE_BYTES) uint32_t roles;
  _Alignas(LINE_BYTES) struct cell cells[CELLS];
};

static struct run run;

static void put(struct queue *queue, const struct message *message) {
  uint64_t at = __atomic_load_n(&queue->tail, __ATOMIC_RELAXED);
  for (;;) {
    struct cell *cell = &queue->cells[at % CELLS];
    int64_t ahead = (int64_t)(__atomic_load_n(&cell->sequence, __ATOMIC_ACQUIRE) - at);
    if (ahead == 0) {
      if (!__atomic_compare_exchange_n(&queue->tail, &at, at + 1, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) continue;
      cell->message = *message;
      __atomic_store_n(&cell->sequence, at + 1, __ATOMIC_RELEASE);
      return;
    }
    if (ahead < 0) relax();
    at = __atomic_load_n(&queue->tail, __ATOMIC_RELAXED);
  }
}

static struct message take(struct queue *queue) {
  uint64_t at = __atomic_load_n(&queue->head, __ATOMIC_RELAXED);
  for (;;) {
    struct cell *cell = &queue->cells[at % CELLS];
    int64_t ahead = (int64_t)(__atomic_load_n(&cell->sequence, __ATOMIC_ACQUIRE) - (at + 1));
    if (ahead == 0) {
      if (!__atomic_compare_exchange_n(&queue->head, &at, at + 1, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) continue;
      struct message message = cell->message;
      __atomic_store_n(&cell->sequence, at + CELLS, __ATOMIC_RELEASE);
      return message;
    }
    if (ahead < 0) relax();
    at = __atomic_load_n(&queue->head, __ATOMIC_RELAXED);
  }
}

static void send_all(struct queue *queue, uint32_t sender) {
  uint64_t until = now_ns() + (uint64_t)((run.warm_ms + run.measure_ms) * 1e6);
  for (uint32_t number = 0;; number++) {
    uint32_t last = (number & 1023) == 0 && now_ns() >= until;
    struct message message = {.number = number, .last = last, .sender = sender, .check = ~number};
    put(queue, &message);
    if (!last) continue;
    queue->sent[sender] = number;
    return;
  }
}

/* Until the first message that is its sender's last: each receiver gets one of those. */
static void receive_all(struct queue *queue, uint32_t receiver) {
  struct stopwatch watch = {0};
  int64_t last[SENDERS] = {-1, -1};
  uint64_t count = 0;
  for (;; count++) {
    if ((count & 1023) == 0) stopwatch_look(&watch, &run, count);
    struct message message = take(queue);
    if (message.sender >= SENDERS || message.check != ~message.number || (int64_t)message.number <= last[message.sender])
      fail("queue: message %u is wrong", message.number);
    last[message.sender] = message.number;
    if (message.last) break;
    queue->received[receiver][message.sender]++;
  }
  queue->rates[receiver] = stopwatch_rate(&watch, &run, count);
}

static void take_role(void *argument) {
  struct queue *queue = argument;
  uint32_t role = __atomic_fetch_add(&queue->roles, 1, __ATOMIC_SEQ_CST);
  if (role < RECEIVERS) receive_all(queue, role);
  else send_all(queue, role - RECEIVERS);
}

int queue_main(int count, char **arguments) {
  run = parse_run(count, arguments);
  struct queue *queue = shared_memory(sizeof *queue);
  for (uint32_t i = 0; i < CELLS; i++) queue->cells[i].sequence = i;
  for (int i = 0; i < SENDERS + RECEIVERS; i++) fork_side(&run, take_role, queue);
  join_sides();
  uint64_t total = 0;
  for (int i = 0; i < SENDERS; i++) {
    uint64_t received = queue->received[0][i] + queue->received[1][i];
    if (received != queue->sent[i]) fail("queue: %lu of %lu", received, queue->sent[i]);
    total += received;
  }
  report_rate(queue->rates[0] + queue->rates[1], (double)total);
  return 0;
}
