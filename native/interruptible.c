#include "interruptible.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "doorbell.h"
#include "environment.h"
#include "exports.h"
#include "thread.h"

/*
 * How often a thread is interrupted before an environment that ends leaves it to itself: for a second, since one that does not get
 * to run could still be handed a message, which would be lost; and for a moment where nothing can be.
 */
#define LAST_INTERRUPTIONS 2000
#define LAST_INTERRUPTIONS_IF_IT_MAY_BE_LEFT 10
#define INTERRUPTION_PAUSE_NS 500000

#define LONGEST_JOIN_MS 100.0

/* Signals of a timer, one after the other: so rare that the thread gets on between them. */
#define SOONEST_NS 50000
#define AGAIN_NS 2000000

/* A real-time signal that nobody else uses: it does nothing but end a system call. 0 when there is none. */
static int interruption;
static pthread_once_t chosen = PTHREAD_ONCE_INIT;

static void do_nothing(int signal) {
  (void)signal;
}

static void choose_signal(void) {
  /* Libraries that want one take the first or the very last. */
  for (int candidate = SIGRTMAX - 2; candidate > SIGRTMIN + 2; candidate--) {
    struct sigaction before;
    if (sigaction(candidate, NULL, &before) != 0 || (before.sa_flags & SA_SIGINFO) != 0 || before.sa_handler != SIG_DFL) continue;
    struct sigaction ours = {.sa_handler = do_nothing}; /* no SA_RESTART: that is the point */
    sigemptyset(&ours.sa_mask);
    if (sigaction(candidate, &ours, NULL) != 0) continue;
    interruption = candidate;
    return;
  }
}

static void release(struct interruptible *wanted) {
  if (atomic_fetch_sub(&wanted->holders, 1) != 1) return;
  pthread_mutex_destroy(&wanted->lock);
  wanted->dispose(wanted);
}

/* Takes it out of its environment's list. On the environment's thread. */
static void forget(struct interruptible *wanted) {
  if (wanted->environment == NULL) return;
  for (struct interruptible **link = &wanted->environment->interruptibles; *link != NULL; link = &(*link)->next) {
    if (*link != wanted) continue;
    *link = wanted->next;
    break;
  }
  wanted->environment = NULL;
  release(wanted);
}

/* On the event loop; `env` is NULL when the environment is ending. Has the thread's hold. */
static void settle(napi_env env, napi_value callback, void *context, void *data) {
  (void)callback;
  (void)context;
  struct interruptible *wanted = data;
  /* The thread has posted, and lets go of it. */
  pthread_mutex_lock(&wanted->lock);
  pthread_mutex_unlock(&wanted->lock);
  if (env != NULL && wanted->environment != NULL) {
    napi_value result = NULL;
    if (wanted->result >= 0 && wanted->answer != NULL) result = wanted->answer(env, wanted);
    if (result == NULL) napi_create_int64(env, wanted->result, &result);
    if (result != NULL) napi_resolve_deferred(env, wanted->deferred, result);
  }
  forget(wanted);
  release(wanted);
}

/* Tells the event loop; answers whether the call on it has taken over this thread's hold. */
static bool post(struct interruptible *wanted) {
  pthread_mutex_lock(&wanted->lock);
  wanted->running = false;
  napi_threadsafe_function done = wanted->done;
  napi_status posted = done == NULL ? napi_closing : napi_call_threadsafe_function(done, wanted, napi_tsfn_nonblocking);
  /* "Closing" is this thread's release of the function as well. */
  if (posted != napi_closing) napi_release_threadsafe_function(done, napi_tsfn_release);
  wanted->done = NULL;
  pthread_mutex_unlock(&wanted->lock);
  return posted == napi_ok;
}

static void *run(void *data) {
  struct interruptible *wanted = data;
  sigset_t ours;
  prctl(PR_SET_NAME, "shmkit-call");
  pthread_mutex_lock(&wanted->lock);
  wanted->thread = pthread_self();
  wanted->running = true;
  pthread_mutex_unlock(&wanted->lock);
  atomic_store(&wanted->stage, STAGE_CALLS);
  futex_wake(&wanted->stage, SLEEPER_ANY);
  sigemptyset(&ours);
  sigaddset(&ours, interruption);
  pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
  do {
    wanted->result = atomic_load(&wanted->interrupted) ? -ECANCELED : wanted->attempt(wanted);
  } while (wanted->result == -EINTR);
  atomic_store(&wanted->stage, STAGE_ENDED);
  futex_wake(&wanted->stage, SLEEPER_ANY);
  /* One hold goes to the event loop, and one lasts until the lock is given back. */
  atomic_fetch_add(&wanted->holders, 1);
  if (!post(wanted)) release(wanted);
  release(wanted);
  return NULL;
}

static void interrupt(struct interruptible *wanted) {
  atomic_store(&wanted->interrupted, true);
  pthread_mutex_lock(&wanted->lock);
  if (wanted->running) pthread_kill(wanted->thread, interruption);
  pthread_mutex_unlock(&wanted->lock);
}

napi_value interruptible_message(napi_env env, int64_t result, const void *bytes, size_t length) {
  napi_value answer;
  napi_value number;
  napi_value data;
  void *copy = NULL;
  if (napi_create_object(env, &answer) != napi_ok || napi_create_int64(env, result, &number) != napi_ok ||
      napi_create_arraybuffer(env, length, &copy, &data) != napi_ok) {
    return NULL;
  }
  if (length > 0) memcpy(copy, bytes, length);
  if (napi_set_named_property(env, answer, "result", number) != napi_ok ||
      napi_set_named_property(env, answer, "data", data) != napi_ok) {
    return NULL;
  }
  return answer;
}

static bool is_running(struct interruptible *wanted) {
  pthread_mutex_lock(&wanted->lock);
  bool running = wanted->running;
  pthread_mutex_unlock(&wanted->lock);
  return running;
}

static bool create_answer(struct call *call, struct interruptible *wanted) {
  napi_value id;
  napi_value promise;
  napi_value answer;
  if (napi_create_promise(call->env, &wanted->deferred, &promise) != napi_ok ||
      napi_create_uint32(call->env, wanted->id, &id) != napi_ok || napi_create_object(call->env, &answer) != napi_ok ||
      napi_set_named_property(call->env, answer, "id", id) != napi_ok ||
      napi_set_named_property(call->env, answer, "promise", promise) != napi_ok) {
    return false;
  }
  call->result = answer;
  return true;
}

/* After it the thread touches the function no more; answers it, or NULL. */
static napi_threadsafe_function silence(struct interruptible *wanted) {
  pthread_mutex_lock(&wanted->lock);
  napi_threadsafe_function done = wanted->done;
  wanted->done = NULL;
  pthread_mutex_unlock(&wanted->lock);
  return done;
}

static int begin(struct call *call, const char *title, struct interruptible *wanted) {
  napi_value name;
  struct environment *environment = call->environment;
  wanted->id = ++environment->last_interruptible_id;
  if (!create_answer(call, wanted) ||
      napi_create_string_utf8(call->env, title, NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_threadsafe_function(call->env, NULL, NULL, name, 0, 1, NULL, NULL, NULL, settle, &wanted->done) != napi_ok) {
    return -ENOMEM;
  }
  if (wanted->is_unreferenced) napi_unref_threadsafe_function(call->env, wanted->done);
  int failure = environment_hook_last(environment) ? 0 : -ECANCELED;
  if (failure == 0) {
    wanted->environment = environment;
    wanted->next = environment->interruptibles;
    environment->interruptibles = wanted;
    atomic_store(&wanted->holders, 3); /* of the list, of the thread, and of this function */
    failure = thread_start(run, wanted);
    if (failure != 0) {
      release(wanted);
      forget(wanted);
    }
  }
  if (failure != 0) napi_release_threadsafe_function(silence(wanted), napi_tsfn_abort);
  return failure;
}

int interruptible_start(struct call *call, const char *title, struct interruptible *wanted) {
  pthread_once(&chosen, choose_signal);
  pthread_mutex_init(&wanted->lock, NULL);
  atomic_store(&wanted->holders, 1);
  int failure = interruption == 0 ? -EAGAIN : begin(call, title, wanted);
  release(wanted);
  if (failure == 0) return 0;
  call_clear_exception(call);
  call->result = NULL;
  return failure;
}

/* Argument 0; NULL when it has ended and answered. */
static struct interruptible *call_pending(struct call *call) {
  uint32_t id = (uint32_t)call_integer(call, 0, "id", 1, UINT32_MAX);
  struct interruptible *wanted = call->stopped ? NULL : call->environment->interruptibles;
  while (wanted != NULL && wanted->id != id) wanted = wanted->next;
  return wanted;
}

int64_t interrupt_call(struct call *call) {
  struct interruptible *wanted = call_pending(call);
  if (wanted == NULL) return 0;
  interrupt(wanted);
  return 1;
}

int64_t join_call(struct call *call) {
  struct interruptible *wanted = call_pending(call);
  double milliseconds = fmin(call_number(call, 1, "timeoutMs", 0), LONGEST_JOIN_MS);
  if (call->stopped || wanted == NULL) return 0;
  const struct timespec timeout = {.tv_nsec = (long)(milliseconds * 1e6)};
  for (;;) {
    uint32_t stage = atomic_load(&wanted->stage);
    if (stage == STAGE_ENDED) return 0;
    int answer = futex_wait(&wanted->stage, stage, SLEEPER_SYNC, &timeout);
    /* However long it takes until the thread runs: the timeout is that of its call. */
    if (answer == -ETIMEDOUT && stage != STAGE_STARTS) return -ETIMEDOUT;
  }
}

void interruptible_end_all(struct environment *environment) {
  while (environment->interruptibles != NULL) {
    struct interruptible *wanted = environment->interruptibles;
    napi_threadsafe_function done = silence(wanted);
    if (done != NULL) napi_release_threadsafe_function(done, napi_tsfn_abort);
    interrupt(wanted);
    /* A signal between the thread's last look and its system call is lost. */
    int most = wanted->may_be_left ? LAST_INTERRUPTIONS_IF_IT_MAY_BE_LEFT : LAST_INTERRUPTIONS;
    for (int times = 0; times < most && is_running(wanted); times++) {
      const struct timespec pause = {.tv_nsec = INTERRUPTION_PAUSE_NS};
      nanosleep(&pause, NULL);
      interrupt(wanted);
    }
    forget(wanted);
  }
}

void interruptible_end_all_at_exit(struct environment *environment) {
  for (struct interruptible *wanted = environment->interruptibles; wanted != NULL; wanted = wanted->next) silence(wanted);
}

int interrupt_timer_begin(struct interrupt_timer *timer, double milliseconds) {
  struct sigevent event;
  pthread_once(&chosen, choose_signal);
  if (interruption == 0) return -EAGAIN;
  memset(&event, 0, sizeof event);
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = interruption;
#ifdef sigev_notify_thread_id
  event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
#else
  event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
#endif
  if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer->timer) != 0) return -errno;
  sigset_t ours;
  sigemptyset(&ours);
  sigaddset(&ours, interruption);
  long nanoseconds = (long)(milliseconds * 1e6);
  if (nanoseconds < SOONEST_NS) nanoseconds = SOONEST_NS;
  const struct timespec first = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
  /* Again and again: one that arrives before the system call begins ends nothing. */
  const struct itimerspec times = {.it_value = first, .it_interval = {.tv_nsec = AGAIN_NS}};
  if (syscall(SYS_timer_settime, timer->timer, 0, &times, NULL) == 0) {
    /* Whoever started this process may have blocked it. */
    pthread_sigmask(SIG_UNBLOCK, &ours, &timer->before);
    return 0;
  }
  int failure = errno;
  syscall(SYS_timer_delete, timer->timer);
  return -failure;
}

void interrupt_timer_end(struct interrupt_timer *timer) {
  syscall(SYS_timer_delete, timer->timer);
  pthread_sigmask(SIG_SETMASK, &timer->before, NULL);
}
