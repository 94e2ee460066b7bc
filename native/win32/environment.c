#include "environment.h"

#include <stdlib.h>

#include "../call.h"
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

static void environment_end(void *data) {
  struct environment *environment = data;
  environment->ended = true;
  pending_end_all(environment);
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
  return napi_add_env_cleanup_hook(env, environment_end, environment) == napi_ok;
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
