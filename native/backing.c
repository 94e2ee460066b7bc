/* How much of a file is backed by memory or disk. */
#include "exports.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "environment.h"

static int change_backing(int descriptor, int mode, int64_t offset, int64_t length) {
  for (;;) {
    if (fallocate(descriptor, mode, offset, length) == 0) return 0;
    if (errno != EINTR) return -errno;
  }
}

int64_t truncate_file(struct call *call) {
  int descriptor = call_descriptor(call, 0, "fd");
  int64_t length = call_integer_or(call, 1, "length", 0, MAX_SAFE_INTEGER, EINVAL);
  if (call->stopped) return 0;
  for (;;) {
    if (ftruncate(descriptor, length) == 0) return 0;
    if (errno != EINTR) return -errno;
  }
}

int64_t allocate_range(struct call *call) {
  int descriptor = call_descriptor(call, 0, "fd");
  int64_t offset = call_integer(call, 1, "offsetBytes", 0, MAX_SAFE_INTEGER);
  int64_t length = call_integer(call, 2, "lengthBytes", 1, MAX_SAFE_INTEGER);
  return call->stopped ? 0 : change_backing(descriptor, 0, offset, length);
}

int64_t punch_range(struct call *call) {
  int descriptor = call_descriptor(call, 0, "fd");
  int64_t offset = call_integer(call, 1, "offsetBytes", 0, MAX_SAFE_INTEGER);
  int64_t length = call_integer(call, 2, "lengthBytes", 1, MAX_SAFE_INTEGER);
  return call->stopped ? 0 : change_backing(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
}

/* A piece of work on a file off the event loop. Owns a duplicate of the descriptor, so that a close meanwhile is harmless. */
struct file_work {
  napi_async_work work;
  napi_deferred deferred;
  int descriptor;
  bool allocates; /* else it does nothing but close, which frees the memory of a file that nobody has any more */
  int64_t offset;
  int64_t length;
  int result;
};

static void close_file(struct file_work *file) {
  if (file->descriptor >= 0) close(file->descriptor);
  file->descriptor = -1;
}

static void file_work_execute(napi_env env, void *data) {
  (void)env;
  struct file_work *file = data;
  if (file->allocates) file->result = change_backing(file->descriptor, 0, file->offset, file->length);
  close_file(file);
}

static void file_work_complete(napi_env env, napi_status status, void *data) {
  struct file_work *file = data;
  napi_value result;
  if (status == napi_cancelled) file->result = -ECANCELED;
  /* In an environment that is ending these fail, and nobody is left to care. */
  if (napi_create_int32(env, file->result, &result) == napi_ok) {
    napi_resolve_deferred(env, file->deferred, result);
  }
  napi_delete_async_work(env, file->work);
  close_file(file);
  free(file);
}

static bool file_work_queue(napi_env env, const char *title, struct file_work *file, napi_value *promise) {
  napi_value name;
  if (napi_create_string_utf8(env, title, NAPI_AUTO_LENGTH, &name) != napi_ok) return false;
  if (napi_create_async_work(env, NULL, name, file_work_execute, file_work_complete, file, &file->work) != napi_ok) {
    return false;
  }
  if (napi_create_promise(env, &file->deferred, promise) == napi_ok && napi_queue_async_work(env, file->work) == napi_ok) {
    return true;
  }
  napi_delete_async_work(env, file->work);
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

/* Starts the work on a duplicate of `descriptor`; the promise is the call's result. Answers 0 or -errno. */
static int file_work_start(struct call *call, const char *title, int descriptor, struct file_work wanted) {
  int failure = ENOMEM;
  struct file_work *file = malloc(sizeof *file);
  if (file != NULL) {
    *file = wanted;
    file->descriptor = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    if (file->descriptor < 0) {
      failure = errno;
    } else if (file_work_queue(call->env, title, file, &call->result)) {
      return 0;
    }
    close_file(file);
    free(file);
  }
  call_clear_exception(call);
  call->result = promise_of(call->env, -failure);
  return -failure;
}

int64_t allocate_async(struct call *call) {
  int descriptor = call_descriptor(call, 0, "fd");
  int64_t offset = call_integer(call, 1, "offsetBytes", 0, MAX_SAFE_INTEGER);
  int64_t length = call_integer(call, 2, "lengthBytes", 1, MAX_SAFE_INTEGER);
  if (call->stopped) return 0;
  struct file_work wanted = {.allocates = true, .offset = offset, .length = length};
  return file_work_start(call, "shmkit:allocate", descriptor, wanted);
}

int64_t close_async(struct call *call) {
  int descriptor = call_descriptor(call, 0, "fd");
  if (call->stopped) return 0;
  if (environment_owned(call->environment, descriptor) == NULL) {
    call->result = promise_of(call->env, -EBADF);
    return -EBADF;
  }
  struct file_work wanted = {.allocates = false};
  /* Without memory or a descriptor for the work, closing at once is what is left. */
  if (file_work_start(call, "shmkit:close", descriptor, wanted) != 0) call->result = promise_of(call->env, 0);
  return environment_close(call->environment, descriptor);
}
