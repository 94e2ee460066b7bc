#include "exit-plan.h"

#include <errno.h>
#include <stdlib.h>
#include <wchar.h>

#include "../call.h"
#include "environment.h"
#include "exports.h"
#include "failures.h"
#include "files.h"
#include "locks.h"
#include "mapping.h"
#include "pin.h"

#define ATTACH_TRIES 100

struct exit_plan {
  /* A description of its own: what the environment has locked by others, it has lost already. */
  HANDLE handle;
  int64_t attach_lock_offset;
  int64_t liveness_offset;
  int64_t liveness_count;
  size_t state_offset;
  LONG closed_value;
  WCHAR path[];
};

void exit_plan_forget(struct mapping *mapping) {
  struct exit_plan *plan = mapping->exit_plan;
  if (plan == NULL) return;
  mapping->exit_plan = NULL;
  CloseHandle(plan->handle);
  free(plan);
}

static bool take_attach_byte(const struct exit_plan *plan) {
  for (int i = 0; i < ATTACH_TRIES; i++) {
    int answer = take_handle_byte(plan->handle, plan->attach_lock_offset);
    if (answer != -EAGAIN) return answer == 0;
    Sleep(1);
  }
  return false;
}

static bool any_is_held(const struct exit_plan *plan, int64_t from, int64_t to) {
  return from < to && handle_range_is_held(plan->handle, from, to - from) != 0;
}

/* Whether nobody but this mapping's own pin, if it has one, is alive. Holding the attach byte, so that nobody joins. */
static bool is_last(const struct mapping *mapping, const struct exit_plan *plan) {
  int64_t begin = plan->liveness_offset;
  int64_t end = begin + plan->liveness_count;
  int64_t own = mapping->pin != INVALID_HANDLE_VALUE ? mapping->pin_offset : -1;
  if (own < begin || own >= end) return !any_is_held(plan, begin, end);
  return !any_is_held(plan, begin, own) && !any_is_held(plan, own + 1, end);
}

static void run(struct mapping *mapping, bool is_exiting) {
  struct exit_plan *plan = mapping->exit_plan;
  /* Every remover of a name holds the attach byte: without it, only leave. The next opener cleans up. */
  bool serialised = plan != NULL && take_attach_byte(plan);
  bool last = serialised && plan->path[0] != L'\0' && is_last(mapping, plan);
  /* An opener that waits for the attach byte finds the mark and starts over. */
  if (last) InterlockedExchange(mapping_word(mapping, plan->state_offset), plan->closed_value);
  /* First the memory, then the liveness: a pool thread may be writing to a view, and what it writes to may soon be another's. */
  if (!is_exiting) view_replace(mapping->view);
  drop_pin(mapping);
  if (last && path_is_handle(plan->path, plan->handle) == 1) remove_path(plan->path);
  if (serialised) release_handle_byte(plan->handle, plan->attach_lock_offset);
}

void exit_plan_run(struct mapping *mapping) {
  run(mapping, false);
}

void exit_plan_run_at_exit(struct mapping *mapping) {
  run(mapping, true);
}

/* The plan's path, with room for the rest; NULL when the call stops or memory is out. */
static struct exit_plan *create(struct call *call) {
  const WCHAR *path = call_name(call, 2);
  if (call->stopped || path == NULL) return NULL;
  struct exit_plan *plan = malloc(sizeof *plan + (wcslen(path) + 1) * sizeof(WCHAR));
  if (plan != NULL) write_text(plan->path, path);
  return plan;
}

int64_t set_exit_plan(struct call *call) {
  napi_value object = call_object(call, 2, "plan");
  call_field(call, object, 2, "path");
  struct exit_plan *plan = create(call);
  if (plan == NULL) return -ENOMEM;
  call_field(call, object, 2, "attachLockOffset");
  plan->attach_lock_offset = call_integer(call, 2, "attachLockOffset", 0, MAX_SAFE_INTEGER);
  call_field(call, object, 2, "livenessOffset");
  plan->liveness_offset = call_integer(call, 2, "livenessOffset", 0, MAX_SAFE_INTEGER);
  call_field(call, object, 2, "livenessCount");
  plan->liveness_count = call_integer(call, 2, "livenessCount", 1, UINT32_MAX);
  call_field(call, object, 2, "closedValue");
  plan->closed_value = (LONG)call_bits(call, 2, "closedValue");
  call_field(call, object, 2, "stateOffset");
  /* Looked up last: a getter of the plan may have closed both. */
  struct file *file = call_file(call, 1);
  struct mapping *mapping = call_mapping(call, 0);
  plan->state_offset = call_word(call, 2, "stateOffset", mapping);
  if (!call->stopped) plan->handle = reopen_handle(file->handle);
  if (call->stopped || plan->handle == INVALID_HANDLE_VALUE) {
    int failure = call->stopped ? 0 : last_failure();
    free(plan);
    return failure;
  }
  exit_plan_forget(mapping);
  mapping->exit_plan = plan;
  return 0;
}
