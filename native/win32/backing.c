/* Memory behind a region's pages. It is there as soon as it is committed, and until the region goes. */
#include <errno.h>

#include "../call.h"
#include "exports.h"
#include "failures.h"
#include "environment.h"
#include "files.h"
#include "mapping.h"

static int commit(const struct file *file, int64_t offset, int64_t length) {
  if (file->mapping == NULL) return -EINVAL;
  DWORD error = view_commit(file->mapping->view, (uint64_t)offset, (uint64_t)length);
  /* Of both, memory and paging file, there may be too little. */
  return error == ERROR_SUCCESS ? 0 : error == ERROR_NOT_ENOUGH_MEMORY ? -ENOSPC : failure_of(error);
}

/* The promise of a result that is there. */
static int64_t promise(struct call *call, int64_t answer) {
  napi_deferred deferred;
  napi_value promised;
  napi_value result;
  if (napi_create_promise(call->env, &deferred, &promised) == napi_ok && napi_create_int64(call->env, answer, &result) == napi_ok &&
      napi_resolve_deferred(call->env, deferred, result) == napi_ok) {
    call->result = promised;
  }
  return answer;
}

int64_t allocate_range(struct call *call) {
  struct file *file = call_file(call, 0);
  int64_t offset = call_integer(call, 1, "offsetBytes", 0, MAX_SAFE_INTEGER);
  int64_t length = call_integer(call, 2, "lengthBytes", 1, MAX_SAFE_INTEGER);
  return call->stopped ? 0 : commit(file, offset, length);
}

/* What the system promises is not yet had: committing takes no time, whatever the length. */
int64_t allocate_async(struct call *call) {
  int64_t answer = allocate_range(call);
  if (call->stopped && call->refusal == 0) return 0;
  if (call->stopped) answer = call->refusal;
  call->stopped = false;
  return promise(call, answer);
}

int64_t close_async(struct call *call) {
  int64_t answer = close_descriptor(call);
  if (call->stopped && call->refusal == 0) return 0;
  if (call->stopped) answer = call->refusal;
  call->stopped = false;
  return promise(call, answer);
}

int64_t punch_range(struct call *call) {
  (void)call;
  /* A section keeps what it has. */
  return -EOPNOTSUPP;
}
