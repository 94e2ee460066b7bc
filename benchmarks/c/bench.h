/* What the C contenders share: two pinned processes over anonymous shared memory, a clock, and the line they report. */
#ifndef BENCH_H
#define BENCH_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#define LINE_BYTES 64

/* The times of a run and the cores of its two sides, -1 for unpinned; parsed from the end of the command line. */
struct run {
  double warm_ms;
  double measure_ms;
  int cores[2];
};

struct run parse_run(int count, char **arguments);

__attribute__((noreturn)) void fail(const char *format, ...);
uint64_t now_ns(void);
void pause_us(long us);

/* Zeroed memory that children of this process share, aligned to pages. */
void *shared_memory(size_t bytes);

/* Runs `other` in a child: the first one on the second core, the next one on the first, and so on; the caller on the first. */
void fork_side(const struct run *run, void (*other)(void *), void *argument);
/* Waits for the children, which must end well. */
void join_sides(void);
void pin_to(int core);
/* Makes a mutex that processes share and that survives the death of its owner. */
void robust_mutex(pthread_mutex_t *mutex);

static inline void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/* The reported line, read by benchmarks/processes.ts. */
void report_rate(double per_second, double checked);

/* The latencies of a run, in ns: of batches of steps, for as long as the run lasts, without those of the warm-up. */
struct samples {
  double *values;
  size_t count;
  uint64_t counts_from;
  uint64_t until;
  uint64_t last;
};
struct samples samples_for(const struct run *run);
/* Whether there is time for another batch, which begins now. */
int samples_open(struct samples *samples);
/* The batch that just ended had so many steps. */
void samples_add(struct samples *samples, int steps);
/* A latency that was measured otherwise. */
void samples_put(struct samples *samples, double latency_ns);
void samples_report(struct samples *samples, double checked);

/* Bounds a loop by the clock, looked at once in a while: warm-up first, then the time that counts. */
struct stopwatch {
  uint64_t first;
  uint64_t begun;
  uint64_t end;
  uint64_t begun_count;
};
void stopwatch_look(struct stopwatch *watch, const struct run *run, uint64_t count);
/* Per second, at the end. */
double stopwatch_rate(struct stopwatch *watch, const struct run *run, uint64_t count);

/* A message of 64 bytes: its number, 1 if it is the last one, who sent it, and ~number. */
struct message {
  uint32_t number;
  uint32_t last;
  uint32_t sender;
  uint32_t padding[12];
  uint32_t check;
};

/* Time between two wake-ups: the other side is asleep again. */
#define WAKE_INTERVAL_US 1000
/* How long a lock is held that another process waits for, and the pause before it is wanted again. */
#define HOLD_NS 20000

int pin_main(int count, char **arguments);
int spin_main(int count, char **arguments);
int ring_main(int count, char **arguments);
int futex_main(int count, char **arguments);
int queue_main(int count, char **arguments);
int bulk_main(int count, char **arguments);
int handover_main(int count, char **arguments);
int attach_main(int count, char **arguments);
int same_main(int count, char **arguments);
int mutex_main(int count, char **arguments);
int pthread_main(int count, char **arguments);
int system_main(int count, char **arguments);

#endif
