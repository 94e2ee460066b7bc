/*
 * Boost.Interprocess: message_queue (which sleeps when it has to wait) and interprocess_mutex.
 * boost trips | polls | wakes | stream | many | bulk | mutex | handover NAME …; the second side is a child.
 */
extern "C" {
#include "bench.h"
}

#include <atomic>
#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

namespace ipc = boost::interprocess;

namespace {

constexpr std::size_t CAPACITY = 1024;
constexpr std::size_t BULK_BYTES = std::size_t{1} << 20;
constexpr int BATCH = 32;

run times;
bool polls = false;

/* A queue whose name is gone at once: the child has it from its parent. */
std::unique_ptr<ipc::message_queue> make_queue(const std::string &name, std::size_t capacity, std::size_t bytes) {
  auto queue = std::make_unique<ipc::message_queue>(ipc::create_only, name.c_str(), capacity, bytes);
  ipc::message_queue::remove(name.c_str());
  return queue;
}

void put(ipc::message_queue &queue, const void *bytes, std::size_t length) {
  if (polls)
    while (!queue.try_send(bytes, length, 0)) relax();
  else queue.send(bytes, length, 0);
}

void take(ipc::message_queue &queue, void *bytes, std::size_t length) {
  ipc::message_queue::size_type received = 0;
  unsigned int priority = 0;
  if (polls)
    while (!queue.try_receive(bytes, length, received, priority)) relax();
  else queue.receive(bytes, length, received, priority);
  if (received != length) fail("boost: %zu bytes", static_cast<std::size_t>(received));
}

message message_of(std::uint32_t number, bool last, std::uint32_t sender = 0) {
  message made{};
  made.number = number;
  made.last = last;
  made.sender = sender;
  made.check = ~number;
  return made;
}

message take_message(ipc::message_queue &queue) {
  message received;
  take(queue, &received, sizeof received);
  if (received.check != ~received.number) fail("boost: message %u is wrong", received.number);
  return received;
}

struct queues {
  std::unique_ptr<ipc::message_queue> there, back;
};

void echo(void *argument) {
  auto &both = *static_cast<queues *>(argument);
  for (;;) {
    const message received = take_message(*both.there);
    if (received.last) return;
    put(*both.back, &received, sizeof received);
  }
}

void trips(const std::string &name, int batch) {
  queues both{make_queue(name + "-there", CAPACITY, sizeof(message)), make_queue(name + "-back", CAPACITY, sizeof(message))};
  fork_side(&times, echo, &both);
  samples samples = samples_for(&times);
  std::uint32_t count = 0;
  while (samples_open(&samples)) {
    for (int i = 0; i < batch; i++, count++) {
      const message sent = message_of(count, false);
      put(*both.there, &sent, sizeof sent);
      if (take_message(*both.back).number != count) fail("boost: not trip %u", count);
    }
    samples_add(&samples, batch);
  }
  const message last = message_of(count, true);
  put(*both.there, &last, sizeof last);
  join_sides();
  samples_report(&samples, count);
}

struct stamp {
  std::uint64_t time;
  std::uint32_t number;
  std::uint32_t last;
};

void wake_again_and_again(void *argument) {
  auto &queue = *static_cast<ipc::message_queue *>(argument);
  const std::uint64_t until = now_ns() + static_cast<std::uint64_t>((times.warm_ms + times.measure_ms) * 1e6);
  stamp sent{};
  for (; !sent.last; sent.number++) {
    pause_us(WAKE_INTERVAL_US);
    sent.time = now_ns();
    sent.last = sent.time >= until;
    queue.send(&sent, sizeof sent, 0);
  }
}

void wakes(const std::string &name) {
  auto queue = make_queue(name, CAPACITY, sizeof(stamp));
  fork_side(&times, wake_again_and_again, queue.get());
  samples samples = samples_for(&times);
  std::uint32_t count = 0;
  for (stamp received{}; !received.last; count++) {
    take(*queue, &received, sizeof received);
    samples.last = now_ns();
    if (received.number != count) fail("boost: %u instead of %u", received.number, count);
    if (!received.last) samples_put(&samples, static_cast<double>(samples.last - received.time));
  }
  join_sides();
  samples_report(&samples, count);
}

void send_stream(void *argument) {
  auto &queue = *static_cast<ipc::message_queue *>(argument);
  const std::uint64_t until = now_ns() + static_cast<std::uint64_t>((times.warm_ms + times.measure_ms) * 1e6);
  bool last = false;
  for (std::uint32_t number = 0; !last; number++) {
    last = (number & 255) == 0 && now_ns() >= until;
    const message sent = message_of(number, last);
    put(queue, &sent, sizeof sent);
  }
}

void stream(const std::string &name) {
  auto queue = make_queue(name, CAPACITY, sizeof(message));
  fork_side(&times, send_stream, queue.get());
  stopwatch watch{};
  std::uint32_t count = 0;
  for (;; count++) {
    if ((count & 255) == 0) stopwatch_look(&watch, &times, count);
    const message received = take_message(*queue);
    if (received.number != count) fail("boost: %u instead of %u", received.number, count);
    if (received.last) break;
  }
  const double rate = stopwatch_rate(&watch, &times, count);
  join_sides();
  report_rate(rate, count);
}

/* Two senders and two receivers; what the receivers found is kept in memory that all share. */
struct tally {
  std::atomic<std::uint32_t> roles;
  std::uint64_t sent[2];
  std::uint64_t received[2][2];
  double rates[2];
};

struct many_arguments {
  ipc::message_queue *queue;
  tally *shared;
};

void receive_among_many(ipc::message_queue &queue, tally &shared, std::uint32_t receiver) {
  stopwatch watch{};
  std::int64_t last[2] = {-1, -1};
  std::uint64_t count = 0;
  for (;; count++) {
    if ((count & 255) == 0) stopwatch_look(&watch, &times, count);
    const message received = take_message(queue);
    if (received.sender > 1 || received.number <= last[received.sender]) fail("boost: message %u", received.number);
    last[received.sender] = received.number;
    if (received.last) break;
    shared.received[receiver][received.sender]++;
  }
  shared.rates[receiver] = stopwatch_rate(&watch, &times, count);
}

void send_among_many(ipc::message_queue &queue, tally &shared, std::uint32_t sender) {
  const std::uint64_t until = now_ns() + static_cast<std::uint64_t>((times.warm_ms + times.measure_ms) * 1e6);
  bool last = false;
  std::uint32_t number = 0;
  for (; !last; number++) {
    last = (number & 255) == 0 && now_ns() >= until;
    const message sent = message_of(number, last, sender);
    put(queue, &sent, sizeof sent);
  }
  shared.sent[sender] = number - 1;
}

void take_role(void *argument) {
  const auto &[queue, shared] = *static_cast<many_arguments *>(argument);
  const std::uint32_t role = shared->roles++;
  if (role < 2) receive_among_many(*queue, *shared, role);
  else send_among_many(*queue, *shared, role - 2);
}

void many(const std::string &name) {
  auto queue = make_queue(name, CAPACITY, sizeof(message));
  auto *shared = new (shared_memory(sizeof(tally))) tally{};
  many_arguments arguments{queue.get(), shared};
  for (int i = 0; i < 4; i++) fork_side(&times, take_role, &arguments);
  join_sides();
  double total = 0;
  for (int i = 0; i < 2; i++) {
    const std::uint64_t received = shared->received[0][i] + shared->received[1][i];
    if (received != shared->sent[i]) fail("boost: %lu of %lu", received, shared->sent[i]);
    total += static_cast<double>(received);
  }
  report_rate(shared->rates[0] + shared->rates[1], total);
}

void send_bulk(void *argument) {
  auto &queue = *static_cast<ipc::message_queue *>(argument);
  std::vector<std::uint32_t> block(BULK_BYTES / 4, 1);
  const std::uint64_t until = now_ns() + static_cast<std::uint64_t>((times.warm_ms + times.measure_ms) * 1e6);
  for (std::uint32_t number = 0; block[1] == 0 || number == 0; number++) {
    block.front() = number;
    block[1] = now_ns() >= until;
    block.back() = ~number;
    put(queue, block.data(), BULK_BYTES);
    if (block[1] != 0) return;
  }
}

void bulk(const std::string &name) {
  auto queue = make_queue(name, 4, BULK_BYTES);
  fork_side(&times, send_bulk, queue.get());
  std::vector<std::uint32_t> block(BULK_BYTES / 4);
  stopwatch watch{};
  std::uint32_t count = 0;
  for (;; count++) {
    stopwatch_look(&watch, &times, count);
    take(*queue, block.data(), BULK_BYTES);
    if (block.front() != count || block.back() != ~count) fail("boost: block %u is wrong", count);
    if (block[1] != 0) break;
  }
  const double rate = stopwatch_rate(&watch, &times, count);
  join_sides();
  report_rate(rate * BULK_BYTES, count);
}

struct guarded {
  ipc::interprocess_mutex mutex;
  volatile std::uint64_t count, released_at, counts[2];
  volatile int owner, over;
};

void lock_alone() {
  auto *shared = new (shared_memory(sizeof(guarded))) guarded{};
  pin_to(times.cores[0]);
  samples samples = samples_for(&times);
  std::uint64_t pairs = 0;
  while (samples_open(&samples)) {
    for (int i = 0; i < BATCH; i++, pairs++) {
      shared->mutex.lock();
      shared->count = shared->count + 1;
      shared->mutex.unlock();
    }
    samples_add(&samples, BATCH);
  }
  if (shared->count != pairs) fail("boost: %lu of %lu", shared->count, pairs);
  samples_report(&samples, static_cast<double>(pairs));
}

void compete(guarded &shared, int side, samples *samples) {
  for (bool over = false; !over;) {
    shared.mutex.lock();
    const std::uint64_t now = now_ns();
    shared.count = shared.count + 1;
    shared.counts[side] = shared.counts[side] + 1;
    if (samples != nullptr) {
      samples->last = now;
      if (shared.owner != side) samples_put(samples, static_cast<double>(now - shared.released_at));
      if (!samples_open(samples)) shared.over = 1;
    }
    over = shared.over != 0;
    shared.owner = side;
    while (now_ns() - now < HOLD_NS) relax();
    shared.released_at = now_ns();
    shared.mutex.unlock();
    for (const std::uint64_t from = now_ns(); now_ns() - from < HOLD_NS / 2;) relax();
  }
}

void handover() {
  auto *shared = new (shared_memory(sizeof(guarded))) guarded{};
  fork_side(&times, [](void *argument) { compete(*static_cast<guarded *>(argument), 1, nullptr); }, shared);
  samples samples = samples_for(&times);
  compete(*shared, 0, &samples);
  join_sides();
  if (shared->count != shared->counts[0] + shared->counts[1] || shared->counts[1] == 0) fail("boost: lost counts");
  samples_report(&samples, static_cast<double>(shared->count));
}

}  // namespace

int main(int count, char **arguments) {
  if (count < 7) fail("usage: boost PART NAME …");
  times = parse_run(count, arguments);
  const std::string part = arguments[1], name = arguments[2];
  polls = part == "polls";
  if (part == "polls") trips(name, BATCH);
  else if (part == "trips") trips(name, 1);
  else if (part == "wakes") wakes(name);
  else if (part == "stream") stream(name);
  else if (part == "many") many(name);
  else if (part == "bulk") bulk(name);
  else if (part == "mutex") lock_alone();
  else if (part == "handover") handover();
  else fail("no such part");
  return 0;
}
