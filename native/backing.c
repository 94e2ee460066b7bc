/* How much of a file is backed by memory or disk. */
#include "exports.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static int change_backing(int descriptor, int mode, int64_t offset, int64_t length) {
  for (;;) {
    if (fallocate(descriptor, mode, offset, length) == 0) return 0;
    if (errno != EINTR) return -errno;
  }
}

int64_t truncate_file(struct call *call) {
  int descriptor = call_descriptor(call, 0);
  int64_t length = call_integer(call, 1, "lengthBytes", 0, MAX_SAFE_INTEGER);
  if (call->stopped) return 0;
  for (;;) {
    if (ftruncate(descriptor, length) == 0) return 0;
    if (errno != EINTR) return -errno;
  }
}

int64_t allocate_range(struct call *call) {
  int descriptor = call_descriptor(call, 0);
  int64_t offset = call_integer(call, 1, "offsetBytes", 0, MAX_SAFE_INTEGER);
  int64_t length = call_integer(call, 2, "lengthBytes", 1, MAX_SAFE_INTEGER);
  return call->stopped ? 0 : change_backing(descriptor, 0, offset, length);
}

int64_t punch_range(struct call *call) {
  int descriptor = call_descriptor(call, 0);
  int64_t offset = call_integer(call, 1, "offsetBytes", 0, MAX_SAFE_INTEGER);
  int64_t length = call_integer(call, 2, "lengthBytes", 1, MAX_SAFE_INTEGER);
  return call->stopped ? 0 : change_backing(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
}

/* One allocation off the event loop. Owns a duplicate of the descriptor, so that a close meanwhile is harmless. */
struct allocation {
  napi_async_work work;
  napi_deferred deferred;
  int descriptor;
  int64_t offset;
  int64_t length;
  int result;
};

static void allocation_execute(napi_env env, void *data) {
  (void)env;
  struct allocation *allocation = data;
  allocation->result = change_backing(allocation->descriptor, 0, allocation->offset, allocation->length);
}

static void allocation_complete(napi_env env, napi_status status, void *data) {
  struct allocation *allocation = data;
  napi_value result;
  if (status == napi_cancelled) allocation->result = -ECANCELED;
  /* In an environment that is ending these fail, and nobody is left to care. */
  if (napi_create_int32(env, allocation->result, &result) == napi_ok) {
    napi_resolve_deferred(env, allocation->deferred, result);
  }
  napi_delete_async_work(env, allocation->work);
  close(allocation->descriptor);
  free(allocation);
}

static bool allocation_queue(napi_env env, struct allocation *allocation, napi_value *promise) {
  napi_value name;
  if (napi_create_string_utf8(env, "shmkit:allocate", NAPI_AUTO_LENGTH, &name) != napi_ok) return false;
  if (napi_create_async_work(env, NULL, name, allocation_execute, allocation_complete, allocation,
                             &allocation->work) != napi_ok) {
    return false;
  }
  if (napi_create_promise(env, &allocation->deferred, promise) == napi_ok &&
      napi_queue_async_work(env, allocation->work) == napi_ok) {
    return true;
  }
  napi_delete_async_work(env, allocation->work);
  return false;
}

/* A promise of `value`, for what fails before the work is queued. */
static napi_value promise_of(napi_env env, int value) {
  napi_deferred deferred;
  napi_value promise;
  napi_value result;
  if (napi_create_promise(env, &deferred, &promise) != napi_ok) return NULL;
  if (napi_create_int32(env, value, &result) != napi_ok) return NULL;
  return napi_resolve_deferred(env, deferred, result) == napi_ok ? promise : NULL;
}

int64_t allocate_async(struct call *call) {
  int descriptor = call_descriptor(call, 0);
  int64_t offset = call_integer(call, 1, "offsetBytes", 0, MAX_SAFE_INTEGER);
  int64_t length = call_integer(call, 2, "lengthBytes", 1, MAX_SAFE_INTEGER);
  if (call->stopped) return 0;
  int duplicate = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  if (duplicate < 0) {
    call->result = promise_of(call->env, -errno);
    return 0;
  }
  struct allocation *allocation = malloc(sizeof *allocation);
  if (allocation != NULL) {
    *allocation = (struct allocation){.descriptor = duplicate, .offset = offset, .length = length};
    if (allocation_queue(call->env, allocation, &call->result)) return 0;
    free(allocation);
  }
  close(duplicate);
  call_clear_exception(call);
  call->result = promise_of(call->env, -ENOMEM);
  return -ENOMEM;
}
