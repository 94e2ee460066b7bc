#include "environment.h"

#include <stdlib.h>

#include "../call.h"
#include "exit-plan.h"
#include "files.h"
#include "mapping.h"
#include "pending.h"
#include "views.h"

static void environment_release(struct environment *environment) {
  if (--environment->holders == 0) free(environment);
}

static void forget_instance(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  environment_release(data);
}

static SRWLOCK list_lock = SRWLOCK_INIT;
static struct environment *all_environments;

static void list_add(struct environment *environment) {
  environment->thread = GetCurrentThreadId();
  AcquireSRWLockExclusive(&list_lock);
  environment->next = all_environments;
  all_environments = environment;
  ReleaseSRWLockExclusive(&list_lock);
}

static void list_remove(const struct environment *environment) {
  AcquireSRWLockExclusive(&list_lock);
  struct environment **link = &all_environments;
  while (*link != NULL && *link != environment) link = &(*link)->next;
  if (*link != NULL) *link = environment->next;
  ReleaseSRWLockExclusive(&list_lock);
}

/* Takes no lock: a thread that the system ended may have had it. */
void environment_leave_at_exit(void) {
  for (struct environment *environment = all_environments; environment != NULL; environment = environment->next) {
    if (environment->thread != GetCurrentThreadId()) continue;
    for (size_t i = 0; i < environment->mappings.count; i++) exit_plan_run_at_exit(environment->mappings.entries[i].value);
  }
}

static void leave_regions(struct environment *environment) {
  /* First the files, with the locks that JavaScript held: whoever leaves takes one of them. */
  for (struct file *file; (file = table_last(&environment->files)) != NULL;) file_close(environment, file);
  table_free(&environment->files);
  for (struct mapping *mapping; (mapping = table_last(&environment->mappings)) != NULL;) {
    mapping_quiesce(mapping);
    mapping_leave(environment, mapping);
  }
  table_free(&environment->mappings);
}

static void environment_end(void *data) {
  struct environment *environment = data;
  list_remove(environment);
  environment->ended = true;
  pending_end_all(environment);
  leave_regions(environment);
  for (struct view *view; (view = table_last(&environment->views)) != NULL;) view_close(environment, view);
  table_free(&environment->views);
  for (HANDLE handle; (handle = table_last(&environment->handles)) != NULL;) {
    table_remove(&environment->handles, environment->handles.entries[environment->handles.count - 1].id);
    CloseHandle(handle);
  }
  table_free(&environment->handles);
  environment_release(environment);
}

bool environment_begin(napi_env env) {
  struct environment *environment = calloc(1, sizeof *environment);
  if (environment == NULL) return false;
  environment->env = env;
  environment->holders = 2;
  if (napi_set_instance_data(env, environment, forget_instance, NULL) != napi_ok) {
    free(environment);
    return false;
  }
  if (napi_add_env_cleanup_hook(env, environment_end, environment) != napi_ok) return false;
  list_add(environment);
  return true;
}

bool environment_hook_last(struct environment *environment) {
  return napi_remove_env_cleanup_hook(environment->env, environment_end, environment) == napi_ok &&
         napi_add_env_cleanup_hook(environment->env, environment_end, environment) == napi_ok;
}

bool environment_has_ended(const struct environment *environment) {
  return environment->ended;
}

HANDLE call_handle(struct call *call, size_t index) {
  uint32_t id = (uint32_t)call_integer(call, index, "handle", 1, UINT32_MAX);
  if (call->stopped) return NULL;
  HANDLE handle = table_find(&call->environment->handles, id);
  if (handle == NULL) call_refuse(call, -ERROR_INVALID_HANDLE);
  return handle;
}

const WCHAR *call_name(struct call *call, size_t index) {
  napi_valuetype type = napi_undefined;
  size_t length = 0;
  if (call->stopped) return NULL;
  if (napi_typeof(call->env, call->values[index], &type) == napi_ok && type == napi_undefined) return NULL;
  WCHAR *name = call->environment->name;
  if (napi_get_value_string_utf16(call->env, call->values[index], NULL, 0, &length) != napi_ok) {
    call_type_error(call, "name", "a string");
  } else if (length > MAX_NAME_UNITS) {
    call_range_error(call, "name", "at most 4096 characters long");
  } else if (napi_get_value_string_utf16(call->env, call->values[index], (char16_t *)name, length + 1, &length) != napi_ok) {
    call_type_error(call, "name", "a string");
  }
  return call->stopped ? NULL : name;
}
