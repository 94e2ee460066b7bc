#include "pending.h"

#include "environment.h"
#include "exports.h"

/* Address space, not memory. */
#define STACK_BYTES (256 * 1024)

static void forget(struct pending *pending) {
  if (pending->environment == NULL) return;
  struct pending **link = &pending->environment->pending;
  while (*link != pending) link = &(*link)->next;
  *link = pending->next;
  pending->environment = NULL;
}

static void dispose(struct pending *pending) {
  if (pending->thread != NULL) CloseHandle(pending->thread);
  if (pending->cancel != NULL) CloseHandle(pending->cancel);
  pending->dispose(pending);
}

static void join(struct pending *pending) {
  WaitForSingleObject(pending->thread, INFINITE);
}

/* On the event loop; `env` is NULL when the environment is ending. */
static void settle(napi_env env, napi_value callback, void *context, void *data) {
  (void)callback;
  (void)context;
  struct pending *pending = data;
  napi_value result = NULL;
  join(pending);
  if (env != NULL && napi_create_int64(env, pending->result, &result) == napi_ok) {
    napi_resolve_deferred(env, pending->deferred, result);
  }
  forget(pending);
  dispose(pending);
}

static DWORD WINAPI run(void *data) {
  struct pending *pending = data;
  napi_threadsafe_function done = pending->done;
  pending->result = pending->run(pending);
  pending->posted = true;
  napi_status posted = napi_call_threadsafe_function(done, pending, napi_tsfn_nonblocking);
  if (posted != napi_ok) pending->posted = false;
  /* "Closing" is this thread's release of the function as well. */
  if (posted != napi_closing) napi_release_threadsafe_function(done, napi_tsfn_release);
  return 0;
}

static bool create_answer(struct call *call, struct pending *pending) {
  napi_value id;
  napi_value promise;
  napi_value answer;
  if (napi_create_promise(call->env, &pending->deferred, &promise) != napi_ok ||
      napi_create_uint32(call->env, pending->id, &id) != napi_ok || napi_create_object(call->env, &answer) != napi_ok ||
      napi_set_named_property(call->env, answer, "id", id) != napi_ok ||
      napi_set_named_property(call->env, answer, "promise", promise) != napi_ok) {
    return false;
  }
  call->result = answer;
  return true;
}

static int64_t begin(struct call *call, const char *title, struct pending *pending) {
  struct environment *environment = call->environment;
  napi_value name;
  pending->id = ++environment->last_pending_id;
  if (!create_answer(call, pending) || napi_create_string_utf8(call->env, title, NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_threadsafe_function(call->env, NULL, NULL, name, 0, 1, NULL, NULL, NULL, settle, &pending->done) != napi_ok) {
    return -ERROR_NOT_ENOUGH_MEMORY;
  }
  int64_t failure = environment_hook_last(environment) ? 0 : -ERROR_OPERATION_ABORTED;
  if (failure == 0) {
    pending->thread = CreateThread(NULL, STACK_BYTES, run, pending, STACK_SIZE_PARAM_IS_A_RESERVATION | CREATE_SUSPENDED, NULL);
    if (pending->thread == NULL) failure = -(int64_t)GetLastError();
  }
  if (failure != 0) {
    napi_release_threadsafe_function(pending->done, napi_tsfn_abort);
    return failure;
  }
  pending->environment = environment;
  pending->next = environment->pending;
  environment->pending = pending;
  /* Not before it is in the list, with its thread's handle. */
  ResumeThread(pending->thread);
  return 0;
}

int64_t pending_start(struct call *call, const char *title, struct pending *pending) {
  int64_t failure = begin(call, title, pending);
  if (failure == 0) return 0;
  call_clear_exception(call);
  call->result = NULL;
  dispose(pending);
  return failure;
}

int64_t cancel_pending(struct call *call) {
  uint32_t id = (uint32_t)call_integer(call, 0, "id", 1, UINT32_MAX);
  struct pending *pending = call->stopped ? NULL : call->environment->pending;
  while (pending != NULL && pending->id != id) pending = pending->next;
  if (pending == NULL || pending->cancel == NULL) return 0;
  SetEvent(pending->cancel);
  return 1;
}

void pending_end_all(struct environment *environment) {
  while (environment->pending != NULL) {
    struct pending *pending = environment->pending;
    if (pending->cancel != NULL) SetEvent(pending->cancel);
    join(pending);
    forget(pending);
    /* What was posted comes back to `settle`, which disposes of it. */
    if (!pending->posted) dispose(pending);
  }
}
