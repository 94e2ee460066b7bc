#include "mapping.h"

#include <errno.h>
#include <stdlib.h>

#include "../call.h"
#include "death.h"
#include "environment.h"
#include "exit-plan.h"
#include "exports.h"
#include "failures.h"
#include "files.h"
#include "pin.h"

struct mapping *call_mapping(struct call *call, size_t index) {
  uint32_t id = (uint32_t)call_integer(call, index, "mapping", 1, UINT32_MAX);
  if (call->stopped) return NULL;
  struct mapping *mapping = table_find(&call->environment->mappings, id);
  if (mapping == NULL) call_refuse(call, -EBADF);
  return mapping;
}

size_t call_word(struct call *call, size_t index, const char *name, const struct mapping *mapping) {
  int64_t offset = call_integer(call, index, name, 0, MAX_SAFE_INTEGER);
  if (call->stopped) return 0;
  if (offset % 4 != 0) call_range_error(call, name, "a multiple of 4");
  if ((uint64_t)offset + 4 > mapping->view->usable) call_range_error(call, name, "inside the mapping");
  return (size_t)offset;
}

void mapping_hold(struct mapping *mapping) {
  InterlockedIncrement(&mapping->holders);
}

void mapping_release(struct mapping *mapping) {
  if (InterlockedDecrement(&mapping->holders) > 0) return;
  for (size_t i = 0; i < mapping->bell_count; i++) CloseHandle(mapping->bells[i].event);
  free(mapping->bells);
  waiter_free(mapping);
  view_release(mapping->view);
  free(mapping);
}

static struct mapping *create(struct environment *environment, struct view *view, const struct file *file) {
  struct mapping *mapping = calloc(1, sizeof *mapping);
  if (mapping == NULL) return NULL;
  mapping->view = view;
  mapping->base = view->base;
  mapping->writable = view->writable;
  mapping->region = file->region;
  mapping->holders = 1;
  mapping->pin = mapping->presence = INVALID_HANDLE_VALUE;
  InitializeSRWLock(&mapping->waiter.lock);
  mapping->id = table_add(&environment->mappings, mapping);
  if (mapping->id != 0) return mapping;
  free(mapping);
  return NULL;
}

/* What commits through its largest mapping reaches all of its memory. */
static void enlarge(struct file *file, struct mapping *mapping) {
  if (!mapping->writable) return;
  if (file->mapping != NULL && file->mapping->view->usable >= mapping->view->usable) return;
  if (file->mapping != NULL) file->mapping->file = NULL;
  file->mapping = mapping;
  mapping->file = file;
}

int64_t map_file(struct call *call) {
  struct file *file = call_file(call, 0);
  int64_t length = call_integer(call, 1, "lengthBytes", 1, MAX_SAFE_INTEGER);
  bool writable = call_boolean(call, 2, "writable");
  bool shared = call_boolean(call, 3, "shared");
  if (call->stopped) return 0;
  if (shared) return -EOPNOTSUPP;
  if (file->section == NULL) {
    int failure = file_make_section(file, (uint64_t)length);
    if (failure != 0) return failure;
  }
  if ((uint64_t)length > file->length) return -EINVAL;
  DWORD error;
  struct view *view = view_map(file->section, writable, 0, (size_t)length, &error);
  if (view == NULL) return failure_of(error);
  struct mapping *mapping = create(call->environment, view, file);
  if (mapping == NULL) {
    view_forget(view);
    return -ENOMEM;
  }
  napi_value buffer;
  if (!view_offer(call, view, mapping->id, &buffer)) {
    mapping_close(call->environment, mapping);
    return -EOPNOTSUPP;
  }
  /* A weak one; without it, closing has no buffer to detach in a case that the arena of views makes all but impossible. */
  if (napi_create_reference(call->env, buffer, 0, &mapping->buffer) != napi_ok) mapping->buffer = NULL;
  enlarge(file, mapping);
  return 0;
}

void mapping_quiesce(struct mapping *mapping) {
  unwatch_deaths(mapping);
  waiter_stop(mapping);
}

bool mapping_close(struct environment *environment, struct mapping *mapping) {
  table_remove(&environment->mappings, mapping->id);
  if (mapping->file != NULL) mapping->file->mapping = NULL;
  mapping->file = NULL;
  /* First the memory, then the liveness: a thread of the pool may be writing to a view. */
  bool replaced = view_replace(mapping->view);
  drop_pin(mapping);
  exit_plan_forget(mapping);
  mapping_release(mapping);
  return replaced;
}

void mapping_leave(struct environment *environment, struct mapping *mapping) {
  exit_plan_run(mapping);
  mapping_close(environment, mapping);
}

int64_t close_mapping(struct call *call) {
  napi_value buffer = NULL;
  uint32_t id = (uint32_t)call_integer(call, 0, "mapping", 1, UINT32_MAX);
  if (call->stopped) return 0;
  struct mapping *mapping = table_find(&call->environment->mappings, id);
  if (mapping == NULL) return id <= call->environment->mappings.last_id ? 0 : -EBADF;
  mapping_quiesce(mapping);
  if (mapping->buffer != NULL) {
    if (napi_get_reference_value(call->env, mapping->buffer, &buffer) != napi_ok) buffer = NULL;
    napi_delete_reference(call->env, mapping->buffer);
    mapping->buffer = NULL;
  }
  if (!mapping_close(call->environment, mapping) && buffer != NULL) napi_detach_arraybuffer(call->env, buffer);
  return 0;
}
