#include "waiter.h"

#include <errno.h>

#include "../call.h"
#include "doorbell.h"
#include "environment.h"
#include "exports.h"
#include "failures.h"
#include "mapping.h"

/* Nobody rings when memory is lost, so that it looks for itself now and then. */
#define BLIND_SLEEP_MS 1000
/* Address space, not memory. */
#define STACK_BYTES (256 * 1024)

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
  if (InterlockedExchange(&mapping->view->status[STATUS_DRAIN_POSTED], 1) != 0) return;
  napi_status answer = napi_call_threadsafe_function(waiter->callback, NULL, napi_tsfn_nonblocking);
  if (answer == napi_ok) return;
  InterlockedExchange(&mapping->view->status[STATUS_DRAIN_POSTED], 0);
  /* This answer is the thread's release of the function as well. */
  if (answer == napi_closing) waiter->callback = NULL;
}

/* The bell has changed, or the region is lost. Answers false when the thread is to end. */
static bool ring(struct mapping *mapping) {
  struct waiter *waiter = &mapping->waiter;
  AcquireSRWLockExclusive(&waiter->lock);
  bool alive = !waiter->stopped && waiter->callback != NULL;
  if (alive) {
    /*
     * Disarm before posting: every disarming is followed by a callback that starts after it, and the callback arms
     * again. The other way round, a drain that has just armed could be disarmed with no callback to come.
     */
    InterlockedAnd(mapping_word(mapping, waiter->armed_offset), ~(LONG)SLEEPER_EVENT_LOOP);
    post(mapping);
  }
  ReleaseSRWLockExclusive(&waiter->lock);
  return alive;
}

static bool is_stopped(struct waiter *waiter) {
  AcquireSRWLockExclusive(&waiter->lock);
  bool stopped = waiter->stopped;
  ReleaseSRWLockExclusive(&waiter->lock);
  return stopped;
}

static DWORD WINAPI run(void *data) {
  struct mapping *mapping = data;
  struct waiter *waiter = &mapping->waiter;
  const volatile LONG *bell = mapping_word(mapping, waiter->bell_offset);
  while (!is_stopped(waiter)) {
    LONG now = *bell;
    /* After the load, which may be the very access that lost the region. */
    if (mapping_is_lost(mapping)) {
      ring(mapping);
      break;
    }
    if (now == waiter->seen) {
      WaitForSingleObject(waiter->event, BLIND_SLEEP_MS);
      continue;
    }
    waiter->seen = now;
    if (!ring(mapping)) break;
  }
  mapping_release(mapping);
  return 0;
}

void waiter_ring(struct mapping *mapping) {
  const struct waiter *waiter = &mapping->waiter;
  InterlockedIncrement(mapping_word(mapping, waiter->bell_offset));
  SetEvent(waiter->event);
  SetEvent(waiter->sync_event);
}

void waiter_stop(struct mapping *mapping) {
  struct waiter *waiter = &mapping->waiter;
  if (!waiter->started) return;
  waiter->started = false;
  AcquireSRWLockExclusive(&waiter->lock);
  waiter->stopped = true;
  napi_threadsafe_function callback = waiter->callback;
  waiter->callback = NULL;
  ReleaseSRWLockExclusive(&waiter->lock);
  SetEvent(waiter->event);
  if (callback != NULL) napi_release_threadsafe_function(callback, napi_tsfn_abort);
}

void waiter_free(struct mapping *mapping) {
  struct waiter *waiter = &mapping->waiter;
  if (waiter->event != NULL) CloseHandle(waiter->event);
  if (waiter->sync_event != NULL) CloseHandle(waiter->sync_event);
  waiter->event = waiter->sync_event = NULL;
}

static napi_status create_callback(struct call *call, napi_value callback, struct waiter *waiter) {
  napi_value name;
  napi_status status = napi_create_string_utf8(call->env, "shmkit:doorbell", NAPI_AUTO_LENGTH, &name);
  if (status != napi_ok) return status;
  return napi_create_threadsafe_function(call->env, callback, NULL, name, 0, 1, NULL, NULL, NULL, ring_javascript,
                                         &waiter->callback);
}

static int start(struct mapping *mapping) {
  mapping_hold(mapping);
  HANDLE thread = CreateThread(NULL, STACK_BYTES, run, mapping, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
  if (thread != NULL) {
    CloseHandle(thread);
    return 0;
  }
  int failure = last_failure();
  mapping_release(mapping);
  return failure;
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
  waiter->event = open_bell(mapping, bell_offset, SLEEPER_EVENT_LOOP);
  if (waiter->event != NULL) waiter->sync_event = open_bell(mapping, bell_offset, SLEEPER_SYNC);
  int failure = waiter->sync_event == NULL ? last_failure() : 0;
  if (failure == 0 && create_callback(call, callback, waiter) != napi_ok) {
    call_clear_exception(call);
    failure = -ENOMEM;
  }
  if (failure != 0) {
    waiter_free(mapping);
    return failure;
  }
  napi_unref_threadsafe_function(call->env, waiter->callback);
  waiter->referenced = false;
  waiter->bell_offset = bell_offset;
  waiter->armed_offset = armed_offset;
  waiter->seen = (LONG)sampled;
  failure = environment_hook_last(call->environment) ? start(mapping) : -ECANCELED;
  waiter->started = waiter->spent = failure == 0;
  if (failure == 0) return 0;
  napi_release_threadsafe_function(waiter->callback, napi_tsfn_abort);
  waiter->callback = NULL;
  waiter_free(mapping);
  return failure;
}

static int64_t reference_waiter(struct call *call, bool wanted) {
  struct mapping *mapping = call_mapping(call, 0);
  if (call->stopped) return 0;
  struct waiter *waiter = &mapping->waiter;
  if (!waiter->started) return -EINVAL;
  if (waiter->referenced == wanted) return 0;
  napi_status status = napi_closing;
  AcquireSRWLockExclusive(&waiter->lock);
  if (waiter->callback != NULL) {
    status = wanted ? napi_ref_threadsafe_function(call->env, waiter->callback)
                    : napi_unref_threadsafe_function(call->env, waiter->callback);
  }
  ReleaseSRWLockExclusive(&waiter->lock);
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
