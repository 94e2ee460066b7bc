#include "exit-plan.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "exports.h"
#include "files.h"
#include "locks.h"
#include "mapping.h"
#include "pin.h"

#define ATTACH_TRIES 100
#define ATTACH_PAUSE_NS 1000000

struct exit_plan {
  int descriptor;
  int64_t attach_lock_offset;
  int64_t liveness_offset;
  int64_t liveness_count;
  size_t state_offset;
  uint32_t closed_value;
  struct text path;
};

void exit_plan_forget(struct mapping *mapping) {
  struct exit_plan *plan = mapping->exit_plan;
  if (plan == NULL) return;
  mapping->exit_plan = NULL;
  close(plan->descriptor);
  free(plan);
}

static bool take_attach_byte(const struct exit_plan *plan) {
  const struct timespec pause = {.tv_nsec = ATTACH_PAUSE_NS};
  for (int i = 0; i < ATTACH_TRIES; i++) {
    int answer = take_byte(plan->descriptor, plan->attach_lock_offset);
    if (answer != -EAGAIN) return answer == 0;
    nanosleep(&pause, NULL);
  }
  return false;
}

static bool any_is_held(const struct exit_plan *plan, int64_t from, int64_t to) {
  return from < to && range_is_held(plan->descriptor, from, to - from) != 0;
}

/* Whether nobody but this mapping's own pin, if it has one, is alive. Holding the attach byte, so that nobody joins. */
static bool is_last(const struct mapping *mapping, const struct exit_plan *plan) {
  int64_t begin = plan->liveness_offset;
  int64_t end = begin + plan->liveness_count;
  int64_t own = atomic_load(&mapping->pin_page) != NULL ? mapping->pin_offset : -1;
  if (own < begin || own >= end) return !any_is_held(plan, begin, end);
  return !any_is_held(plan, begin, own) && !any_is_held(plan, own + 1, end);
}

void exit_plan_run(struct mapping *mapping) {
  struct exit_plan *plan = mapping->exit_plan;
  /* Every remover of a name holds the attach byte: without it, only leave. The next opener cleans up. */
  bool serialised = plan != NULL && take_attach_byte(plan);
  bool last = serialised && plan->path.bytes[0] != '\0' && is_last(mapping, plan);
  /* An opener that waits for the attach byte finds the mark and starts over. */
  if (last) atomic_store(mapping_word(mapping, plan->state_offset), plan->closed_value);
  /* First the memory, then the liveness: a pool thread may be writing to a view, and what it writes to may soon be another's. */
  if (atomic_load(&mapping->locked) == 0) mapping_replace(mapping);
  drop_pin(mapping);
  if (last && path_is_descriptor(plan->path.bytes, plan->descriptor) == 1) unlink(plan->path.bytes);
  /* The description may be shared with a descriptor that stays open, so closing would not be enough. */
  if (serialised) release_byte(plan->descriptor, plan->attach_lock_offset);
}

int64_t set_exit_plan(struct call *call) {
  struct exit_plan *plan = malloc(sizeof *plan);
  if (plan == NULL) return -ENOMEM;
  int descriptor = call_descriptor(call, 1, "fd");
  napi_value object = call_object(call, 2, "plan");
  call_field(call, object, 2, "path");
  call_text(call, 2, "path", &plan->path);
  call_field(call, object, 2, "attachLockOffset");
  plan->attach_lock_offset = call_integer(call, 2, "attachLockOffset", 0, MAX_SAFE_INTEGER);
  call_field(call, object, 2, "livenessOffset");
  plan->liveness_offset = call_integer(call, 2, "livenessOffset", 0, MAX_SAFE_INTEGER);
  call_field(call, object, 2, "livenessCount");
  plan->liveness_count = call_integer(call, 2, "livenessCount", 1, UINT32_MAX);
  call_field(call, object, 2, "closedValue");
  plan->closed_value = call_bits(call, 2, "closedValue");
  call_field(call, object, 2, "stateOffset");
  /* Looked up last: a getter of the plan may have closed the mapping. */
  struct mapping *mapping = call_mapping(call, 0);
  plan->state_offset = call_word(call, 2, "stateOffset", mapping);
  if (call->stopped) {
    free(plan);
    return 0;
  }
  plan->descriptor = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  if (plan->descriptor < 0) {
    int failure = errno;
    free(plan);
    return -failure;
  }
  exit_plan_forget(mapping);
  mapping->exit_plan = plan;
  return 0;
}
