#include "bench.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Room for the latencies of one run. */
#define SAMPLE_LIMIT 400000

#define SIDE_LIMIT 4

static pid_t sides[SIDE_LIMIT];
static int side_count;
static int is_child;

void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  for (int i = 0; i < side_count && !is_child; i++) kill(sides[i], SIGKILL);
  exit(1);
}

struct run parse_run(int count, char **arguments) {
  if (count < 4) fail("the last arguments are WARM_MS MEASURE_MS CORE CORE");
  char **last = arguments + count - 4;
  return (struct run){atof(last[0]), atof(last[1]), {atoi(last[2]), atoi(last[3])}};
}

uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

void *shared_memory(size_t bytes) {
  void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) fail("mmap: %s", strerror(errno));
  return memory;
}

void pin_to(int core) {
  if (core < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET((unsigned)core, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) fail("sched_setaffinity to %d: %s", core, strerror(errno));
}

void fork_side(const struct run *run, void (*other)(void *), void *argument) {
  fflush(stdout);
  pid_t parent = getpid(), child = fork();
  if (child < 0) fail("fork: %s", strerror(errno));
  if (child == 0) {
    is_child = 1;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) exit(1);
    pin_to(run->cores[(side_count + 1) % 2]);
    other(argument);
    exit(0);
  }
  sides[side_count++] = child;
  pin_to(run->cores[0]);
}

void join_sides(void) {
  for (int i = 0; i < side_count; i++) {
    int status;
    pid_t ended = waitpid(sides[i], &status, 0);
    if (ended < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) fail("another side ended badly");
  }
  side_count = 0;
}

void report_rate(double per_second, double checked) {
  printf("{\"value\":%.6g,\"checked\":%.0f}\n", per_second, checked);
}

static int ascending(const void *left, const void *right) {
  double difference = *(const double *)left - *(const double *)right;
  return (difference > 0) - (difference < 0);
}

void pause_us(long us) {
  struct timespec time = {us / 1000000, us % 1000000 * 1000};
  nanosleep(&time, NULL);
}

struct samples samples_for(const struct run *run) {
  uint64_t now = now_ns();
  double *values = malloc(SAMPLE_LIMIT * sizeof *values);
  if (values == NULL) fail("no memory");
  uint64_t counts_from = now + (uint64_t)(run->warm_ms * 1e6);
  return (struct samples){values, 0, counts_from, counts_from + (uint64_t)(run->measure_ms * 1e6), now};
}

int samples_open(struct samples *samples) {
  samples->last = now_ns();
  return samples->count == 0 || samples->last < samples->until;
}

void samples_add(struct samples *samples, int steps) {
  samples_put(samples, (double)(now_ns() - samples->last) / steps);
}

void samples_put(struct samples *samples, double latency_ns) {
  if (samples->last >= samples->counts_from && samples->count < SAMPLE_LIMIT) samples->values[samples->count++] = latency_ns;
}

void samples_report(struct samples *samples, double checked) {
  if (samples->count == 0) fail("nothing was measured");
  double *values = samples->values;
  qsort(values, samples->count, sizeof *values, ascending);
  const double count = (double)samples->count;
  printf("{\"value\":%.1f,\"p50\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"checked\":%.0f}\n", values[samples->count / 2],
         values[samples->count / 2], values[(size_t)(count * 0.99)], values[(size_t)(count * 0.999)], checked);
}

void stopwatch_look(struct stopwatch *watch, const struct run *run, uint64_t count) {
  uint64_t now = now_ns();
  if (watch->first == 0) watch->first = now;
  if (watch->begun == 0 && (double)(now - watch->first) >= run->warm_ms * 1e6) {
    watch->begun = now;
    watch->begun_count = count;
  }
  watch->end = now;
}

double stopwatch_rate(struct stopwatch *watch, const struct run *run, uint64_t count) {
  stopwatch_look(watch, run, count);
  uint64_t begun = watch->begun;
  /* A run that was held up may end in its warm-up: then all of it counts. */
  if (begun == 0 || begun == watch->end) {
    begun = watch->first;
    watch->begun_count = 0;
  }
  if (begun == watch->end || count == watch->begun_count) fail("nothing was measured");
  return (double)(count - watch->begun_count) * 1e9 / (double)(watch->end - begun);
}
