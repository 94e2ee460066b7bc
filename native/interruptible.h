/*
 * A system call that may block for ever, on a thread of its own: neither the event loop nor a thread of the runtime's pool
 * waits for it. It is ended early by a signal, after which it has either happened or not: nothing is lost.
 */
#ifndef SHMKIT_INTERRUPTIBLE_H
#define SHMKIT_INTERRUPTIBLE_H

#include "platform.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

struct call;
struct environment;

/* How far the thread is. */
enum stage { STAGE_STARTS, STAGE_CALLS, STAGE_ENDED };

struct interruptible {
  /* One system call; -EINTR when a signal ended it. On its own thread. */
  int64_t (*attempt)(struct interruptible *wanted);
  /* What a result that is not negative looks like in JavaScript; NULL: a number. On the event loop. */
  napi_value (*answer)(napi_env env, struct interruptible *wanted);
  /* Gives back what it holds, and the memory of this record. On any thread. */
  void (*dispose)(struct interruptible *wanted);
  int64_t result;
  /* The process may end while it is on its way. */
  bool is_unreferenced;
  /* Nothing would be lost if it went on alone, and a signal may not end it: an environment that ends does not see to its end. */
  bool may_be_left;

  /* Of the environment's thread. */
  uint32_t id;
  struct environment *environment; /* NULL once it has answered, or the environment has ended */
  struct interruptible *next;
  napi_deferred deferred;

  atomic_int holders;
  pthread_mutex_t lock;
  /* Under the lock: NULL once it may not be touched any more, since the runtime frees it with the environment. */
  napi_threadsafe_function done;
  pthread_t thread;
  bool running;
  atomic_bool interrupted;
  /* A futex: one of enum stage. */
  atomic_uint_least32_t stage;
};

/*
 * Starts the call. The answer of the JavaScript call is { id, promise }; the promise resolves to what `answer` makes of
 * the result, or to -errno (-ECANCELED: interrupted, and nothing has happened). Takes over `wanted`, in case of failure
 * too. 0 or -errno.
 */
int interruptible_start(struct call *call, const char *title, struct interruptible *wanted);
/* What an `answer` makes of a message: { result, data }. */
napi_value interruptible_message(napi_env env, int64_t result, const void *bytes, size_t length);
/* Interrupts every call of an environment that ends; none of them calls back afterwards. */
void interruptible_end_all(struct environment *environment);
/* The same when the runtime may be gone already. */
void interruptible_end_all_at_exit(struct environment *environment);

/*
 * The same for a call on JavaScript's own thread: from begin to end, a signal arrives every `milliseconds`, so that a system
 * call without a timeout answers -EINTR. 0 or -errno.
 */
struct interrupt_timer {
  int timer;
  sigset_t before;
};
int interrupt_timer_begin(struct interrupt_timer *timer, double milliseconds);
void interrupt_timer_end(struct interrupt_timer *timer);

#endif
