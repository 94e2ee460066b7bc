#include "waiter.h"

#include <sys/prctl.h>

#include "doorbell.h"
#include "environment.h"
#include "exports.h"
#include "mapping.h"
#include "thread.h"

/*
 * Nothing wakes a sleeper of a page that was truncated away, so that it looks for itself now and then. The kernel may
 * be late by as much again, and so let many such threads share one wake-up of the processor.
 */
#define BLIND_SLEEP_SECONDS 1
#define BLIND_SLEEP_SLACK_NS 500000000UL

/* On the event loop. `env` is NULL when the environment is ending. */
static void ring_javascript(napi_env env, napi_value callback, void *context, void *data) {
  (void)context;
  (void)data;
  napi_value undefined;
  napi_value error;
  bool pending = false;
  if (env == NULL || callback == NULL || napi_get_undefined(env, &undefined) != napi_ok) return;
  if (napi_call_function(env, undefined, callback, 0, NULL, NULL) == napi_ok) return;
  if (napi_is_exception_pending(env, &pending) != napi_ok || !pending) return;
  if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
}

/* Under the lock. Posts one call of the callback, unless one is on its way. */
static void post(struct mapping *mapping) {
  struct waiter *waiter = &mapping->waiter;
  if (atomic_exchange(&mapping->status[STATUS_DRAIN_POSTED], 1) != 0) return;
  napi_status answer = napi_call_threadsafe_function(waiter->callback, NULL, napi_tsfn_nonblocking);
  if (answer == napi_ok) return;
  atomic_store(&mapping->status[STATUS_DRAIN_POSTED], 0);
  /* This answer is the thread's release of the function as well. */
  if (answer == napi_closing) waiter->callback = NULL;
}

/* The bell has changed, or the region is lost. Answers false when the thread is to end. */
static bool ring(struct mapping *mapping) {
  struct waiter *waiter = &mapping->waiter;
  pthread_mutex_lock(&waiter->lock);
  bool alive = !atomic_load(&waiter->stopped) && waiter->callback != NULL;
  if (alive) {
    /*
     * Disarm before posting: every disarming is followed by a callback that starts after it, and the callback arms
     * again. The other way round, a drain that has just armed could be disarmed with no callback to come.
     */
    atomic_fetch_and(mapping_word(mapping, waiter->armed_offset), ~(uint32_t)SLEEPER_EVENT_LOOP);
    post(mapping);
  }
  pthread_mutex_unlock(&waiter->lock);
  return alive;
}

static void sleep_on_bell(struct mapping *mapping, atomic_uint_least32_t *bell) {
  const struct timespec timeout = {.tv_sec = BLIND_SLEEP_SECONDS};
  int answer = futex_wait(bell, mapping->waiter.seen, SLEEPER_EVENT_LOOP, &timeout);
  if (answer == -EFAULT) mapping_lose(mapping);
}

static void *waiter_run(void *data) {
  struct mapping *mapping = data;
  struct waiter *waiter = &mapping->waiter;
  atomic_uint_least32_t *bell = mapping_word(mapping, waiter->bell_offset);
  prctl(PR_SET_NAME, "shmkit-doorbell");
  prctl(PR_SET_TIMERSLACK, BLIND_SLEEP_SLACK_NS);
  while (!atomic_load(&waiter->stopped)) {
    uint32_t now = atomic_load(bell);
    /* After the load, which may be the very access that lost the region. */
    if (mapping_is_lost(mapping)) {
      ring(mapping);
      break;
    }
    if (now == waiter->seen) {
      sleep_on_bell(mapping, bell);
      continue;
    }
    waiter->seen = now;
    if (!ring(mapping)) break;
  }
  mapping_release(mapping);
  return NULL;
}

/* Stops the thread; answers the callback, which is the caller's now, or NULL. */
static napi_threadsafe_function silence(struct mapping *mapping) {
  struct waiter *waiter = &mapping->waiter;
  if (!waiter->started) return NULL;
  waiter->started = false;
  pthread_mutex_lock(&waiter->lock);
  atomic_store(&waiter->stopped, true);
  napi_threadsafe_function callback = waiter->callback;
  waiter->callback = NULL;
  pthread_mutex_unlock(&waiter->lock);
  /* A ring for nothing, which is harmless, so that the thread cannot fall asleep after having looked at `stopped`. */
  atomic_uint_least32_t *bell = mapping_word(mapping, waiter->bell_offset);
  atomic_fetch_add(bell, 1);
  futex_wake(bell, SLEEPER_EVENT_LOOP);
  return callback;
}

void waiter_stop(struct mapping *mapping) {
  napi_threadsafe_function callback = silence(mapping);
  if (callback != NULL) napi_release_threadsafe_function(callback, napi_tsfn_abort);
}

void waiter_stop_at_exit(struct mapping *mapping) {
  silence(mapping);
}

static napi_status create_callback(struct call *call, napi_value callback, struct waiter *waiter) {
  napi_value name;
  napi_status status = napi_create_string_utf8(call->env, "shmkit:doorbell", NAPI_AUTO_LENGTH, &name);
  if (status != napi_ok) return status;
  return napi_create_threadsafe_function(call->env, callback, NULL, name, 0, 1, NULL, NULL, NULL, ring_javascript,
                                         &waiter->callback);
}

int64_t start_waiter(struct call *call) {
  struct mapping *mapping = call_mapping(call, 0);
  size_t bell_offset = call_word(call, 1, "bellOffset", mapping);
  size_t armed_offset = call_word(call, 2, "armedOffset", mapping);
  uint32_t sampled = call_bits(call, 3, "sampled");
  napi_value callback = call_callback(call, 4, "callback");
  if (call->stopped) return 0;
  if (!mapping->writable) return -EROFS;
  struct waiter *waiter = &mapping->waiter;
  if (waiter->spent) return -EBUSY;
  if (create_callback(call, callback, waiter) != napi_ok) {
    call_clear_exception(call);
    return -ENOMEM;
  }
  napi_unref_threadsafe_function(call->env, waiter->callback);
  waiter->referenced = false;
  waiter->bell_offset = bell_offset;
  waiter->armed_offset = armed_offset;
  waiter->seen = sampled;
  int failure = environment_hook_last(call->environment) ? 0 : -ECANCELED;
  if (failure == 0) {
    mapping_hold(mapping);
    failure = thread_start(waiter_run, mapping);
    if (failure != 0) mapping_release(mapping);
  }
  waiter->started = waiter->spent = failure == 0;
  if (failure != 0) napi_release_threadsafe_function(waiter->callback, napi_tsfn_abort);
  return failure;
}

static int64_t reference_waiter(struct call *call, bool wanted) {
  struct mapping *mapping = call_mapping(call, 0);
  if (call->stopped) return 0;
  struct waiter *waiter = &mapping->waiter;
  if (!waiter->started) return -EINVAL;
  /* Some runtimes count references, some keep a flag: only changes reach them. */
  if (waiter->referenced == wanted) return 0;
  napi_status status = napi_closing;
  pthread_mutex_lock(&waiter->lock);
  if (waiter->callback != NULL) {
    status = wanted ? napi_ref_threadsafe_function(call->env, waiter->callback)
                    : napi_unref_threadsafe_function(call->env, waiter->callback);
  }
  pthread_mutex_unlock(&waiter->lock);
  if (status != napi_ok) return -EIO;
  waiter->referenced = wanted;
  return 0;
}

int64_t ref_waiter(struct call *call) {
  return reference_waiter(call, true);
}

int64_t unref_waiter(struct call *call) {
  return reference_waiter(call, false);
}
