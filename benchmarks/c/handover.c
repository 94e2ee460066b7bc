/*
 * handover: two processes want one lock all the time, and hold it for a while; the time from its release by one to its
 * possession by the other. The lock spins for a while, then sleeps (U. Drepper, "Futexes Are Tricky", mutex 2);
 * with the word "pthread" it is a robust mutex of POSIX threads.
 */
#include "bench.h"

#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SPINS 2000

struct guarded {
  /* 0 free, 1 taken, 2 taken and somebody may sleep. */
  _Alignas(LINE_BYTES) uint32_t lock;
  _Alignas(LINE_BYTES) pthread_mutex_t mutex;
  _Alignas(LINE_BYTES) uint64_t released_at;
  uint64_t count;
  int owner;
  int over;
  uint64_t counts[2];
};

static struct run run;
static int is_pthread;

static void lock_word(uint32_t *word) {
  for (int i = 0; i < SPINS; i++) {
    uint32_t found = 0;
    if (__atomic_compare_exchange_n(word, &found, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return;
    relax();
  }
  while (__atomic_exchange_n(word, 2, __ATOMIC_ACQUIRE) != 0) syscall(SYS_futex, word, FUTEX_WAIT, 2, NULL, NULL, 0);
}

static void unlock_word(uint32_t *word) {
  if (__atomic_exchange_n(word, 0, __ATOMIC_RELEASE) == 2) syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void lock(struct guarded *guarded) {
  if (!is_pthread) lock_word(&guarded->lock);
  else if (pthread_mutex_lock(&guarded->mutex) != 0) fail("pthread_mutex_lock");
}

static void unlock(struct guarded *guarded) {
  if (!is_pthread) unlock_word(&guarded->lock);
  else if (pthread_mutex_unlock(&guarded->mutex) != 0) fail("pthread_mutex_unlock");
}

static void compete(struct guarded *guarded, int side, struct samples *samples) {
  for (int over = 0; !over;) {
    lock(guarded);
    uint64_t now = now_ns();
    guarded->count++;
    guarded->counts[side]++;
    if (samples != NULL) {
      samples->last = now;
      if (guarded->owner != side) samples_put(samples, (double)(now - guarded->released_at));
      if (!samples_open(samples)) guarded->over = 1;
    }
    over = guarded->over;
    guarded->owner = side;
    while (now_ns() - now < HOLD_NS) relax();
    guarded->released_at = now_ns();
    unlock(guarded);
    for (uint64_t from = now_ns(); now_ns() - from < HOLD_NS / 2;) relax();
  }
}

static void other(void *argument) {
  compete(argument, 1, NULL);
}

int handover_main(int count, char **arguments) {
  run = parse_run(count, arguments);
  is_pthread = strcmp(arguments[1], "pthread") == 0;
  struct guarded *guarded = shared_memory(sizeof *guarded);
  robust_mutex(&guarded->mutex);
  fork_side(&run, other, guarded);
  struct samples samples = samples_for(&run);
  compete(guarded, 0, &samples);
  join_sides();
  if (guarded->count != guarded->counts[0] + guarded->counts[1] || guarded->counts[1] == 0) fail("handover: lost counts");
  samples_report(&samples, (double)guarded->count);
  return 0;
}
