/* Waits. A thread of its own may take an event or a semaphore for another; a mutex would be that thread's. */
#include "exports.h"

#include <stdlib.h>

#include "environment.h"
#include "pending.h"

/* Between, a worker cannot be terminated. */
#define LONGEST_PARK_MS 50.0

static int64_t answer_of(DWORD waited) {
  switch (waited) {
    case WAIT_OBJECT_0:
    case WAIT_ABANDONED:
      return waited;
    case WAIT_TIMEOUT:
      return -WAIT_TIMEOUT;
    default:
      return -(int64_t)GetLastError();
  }
}

int64_t wait_for_single_object(struct call *call) {
  HANDLE object = call_handle(call, 0);
  double milliseconds = call_number(call, 1, "timeoutMs", 0);
  if (call->stopped) return 0;
  if (milliseconds > LONGEST_PARK_MS) milliseconds = LONGEST_PARK_MS;
  DWORD timeout = (DWORD)milliseconds;
  return answer_of(WaitForSingleObject(object, timeout < milliseconds ? timeout + 1 : timeout));
}

struct wait {
  struct pending base;
  /* A handle of its own: the other one may be closed, and its number be another object's. */
  HANDLE object;
};

static int64_t run(struct pending *pending) {
  /* The object first: when both are signalled, it is taken, and the cancellation comes too late. */
  const HANDLE objects[] = {((struct wait *)pending)->object, pending->cancel};
  DWORD waited = WaitForMultipleObjects(COUNT_OF(objects), objects, FALSE, INFINITE);
  return waited == WAIT_OBJECT_0 + 1 ? -ERROR_OPERATION_ABORTED : answer_of(waited);
}

static void dispose(struct pending *pending) {
  CloseHandle(((struct wait *)pending)->object);
  free(pending);
}

int64_t wait_for_single_object_async(struct call *call) {
  HANDLE object = call_handle(call, 0);
  if (call->stopped) return 0;
  struct wait *wait = calloc(1, sizeof *wait);
  if (wait == NULL) return -ERROR_NOT_ENOUGH_MEMORY;
  HANDLE process = GetCurrentProcess();
  bool is_duplicated = DuplicateHandle(process, object, process, &wait->object, 0, FALSE, DUPLICATE_SAME_ACCESS);
  if (is_duplicated) wait->base.cancel = CreateEventW(NULL, TRUE, FALSE, NULL);
  if (wait->base.cancel == NULL) {
    int64_t failure = -(int64_t)GetLastError();
    if (is_duplicated) CloseHandle(wait->object);
    free(wait);
    return failure;
  }
  wait->base.run = run;
  wait->base.dispose = dispose;
  return pending_start(call, "shmkit:WaitForSingleObject", &wait->base);
}
