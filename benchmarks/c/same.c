/* same BENCHMARK ROLE REGION: members written in C (peer.h) do what the library's members do, on the same layout. */
#include "peer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BATCH 32
/* More than fit the pipe: when they are gone, somebody receives. */
#define FIRST_MESSAGES 4096

static struct run run;
static struct peer peer;

static struct message message_of(uint32_t number, uint32_t last, uint32_t sender) {
  return (struct message){.number = number, .last = last, .sender = sender, .check = ~number};
}

static void receive(const struct peer_object *pipe, struct message *message) {
  uint32_t length = peer_receive(&peer, pipe, message, sizeof *message);
  if (length != sizeof *message || message->check != ~message->number) fail("same: %u bytes", length);
}

static void ping(int batch) {
  struct peer_object there = peer_open(&peer, SHMKIT_KIND_PIPE, "there");
  struct peer_object back = peer_open(&peer, SHMKIT_KIND_PIPE, "back");
  struct samples samples = samples_for(&run);
  struct message message, answer;
  uint32_t trips = 0;
  while (samples_open(&samples)) {
    for (int i = 0; i < batch; i++, trips++) {
      message = message_of(trips, 0, 0);
      peer_send(&peer, &there, &message, sizeof message);
      receive(&back, &answer);
      if (answer.number != trips) fail("same: trip %u", trips);
    }
    samples_add(&samples, batch);
  }
  message = message_of(trips, 1, 0);
  peer_send(&peer, &there, &message, sizeof message);
  peer_detach(&peer, &there);
  peer_detach(&peer, &back);
  samples_report(&samples, trips);
}

static void pong(void) {
  struct peer_object there = peer_open(&peer, SHMKIT_KIND_PIPE, "there");
  struct peer_object back = peer_open(&peer, SHMKIT_KIND_PIPE, "back");
  struct message message;
  for (uint32_t trips = 0;; trips++) {
    receive(&there, &message);
    if (message.number != trips) fail("same: trip %u", trips);
    if (message.last) break;
    peer_send(&peer, &back, &message, sizeof message);
  }
  peer_detach(&peer, &there);
  peer_detach(&peer, &back);
}

static void send_all(uint32_t sender) {
  struct peer_object pipe = peer_open(&peer, SHMKIT_KIND_PIPE, "messages");
  uint64_t until = UINT64_MAX;
  uint32_t number = 0;
  for (uint32_t last = 0; !last; number++) {
    if (number == FIRST_MESSAGES) until = now_ns() + (uint64_t)((run.warm_ms + run.measure_ms) * 1e6);
    last = (number & 1023) == 0 && now_ns() >= until;
    struct message message = message_of(number, last, sender);
    peer_send(&peer, &pipe, &message, sizeof message);
  }
  peer_detach(&peer, &pipe);
  printf("{\"sent\":%u}\n", number - 1);
}

/* From each sender in order; until the first message that is its sender's last. */
static void receive_all(void) {
  struct peer_object pipe = peer_open(&peer, SHMKIT_KIND_PIPE, "messages");
  struct stopwatch watch = {0};
  int64_t last[2] = {-1, -1};
  uint64_t count = 0;
  for (;; count++) {
    struct message message;
    receive(&pipe, &message);
    if (message.sender > 1 || (int64_t)message.number <= last[message.sender]) fail("same: message %u", message.number);
    last[message.sender] = message.number;
    if (message.last) break;
    if ((count & 1023) == 0) stopwatch_look(&watch, &run, count);
  }
  double rate = stopwatch_rate(&watch, &run, count);
  peer_detach(&peer, &pipe);
  report_rate(rate, (double)count);
}

static void lock_alone(void) {
  struct peer_object mutex = peer_open(&peer, SHMKIT_KIND_MUTEX, "mutex");
  struct samples samples = samples_for(&run);
  uint64_t pairs = 0;
  while (samples_open(&samples)) {
    for (int i = 0; i < BATCH; i++, pairs++) {
      peer_lock(&peer, &mutex);
      peer_unlock(&peer, &mutex);
    }
    samples_add(&samples, BATCH);
  }
  if (((struct shmkit_mutex *)mutex.at)->lock.owner != 0) fail("same: the lock is taken");
  peer_detach(&peer, &mutex);
  samples_report(&samples, (double)pairs);
}

/* Dies with the lock if it is killed: the word then is what it was. */
static void hold(void) {
  struct peer_object mutex = peer_open(&peer, SHMKIT_KIND_MUTEX, "mutex");
  peer_lock(&peer, &mutex);
  peer_set_word(&mutex, 0, peer_word(&mutex, 0) + 1);
  puts("holding");
  fflush(stdout);
  for (;;) pause();
}

int same_main(int count, char **arguments) {
  if (count < 8) fail("usage: same BENCHMARK ROLE REGION …");
  run = parse_run(count, arguments);
  const char *benchmark = arguments[1], *role = arguments[2];
  const int is_near = strncmp(role, "near", 4) == 0;
  peer_join(&peer, arguments[3], "c-same");
  if (strcmp(benchmark, "spin-round-trip") == 0) {
    if (is_near) ping(BATCH);
    else pong();
  } else if (strcmp(benchmark, "parked-round-trip") == 0) {
    peer.spins = 0;
    if (is_near) ping(1);
    else pong();
  } else if (strcmp(benchmark, "mutex") == 0) {
    if (is_near) lock_alone();
    else hold();
  } else {
    if (is_near) receive_all();
    else send_all((uint32_t)(role[strlen(role) - 1] - '0'));
  }
  peer_leave(&peer);
  return 0;
}
