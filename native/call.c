#include "call.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

napi_value call_dispatch(napi_env env, napi_callback_info info) {
  struct call call = {.env = env};
  size_t count = MAX_ARGUMENTS;
  void *data = NULL;
  void *instance = NULL;
  /* Missing arguments arrive as undefined, surplus ones are ignored. */
  if (napi_get_cb_info(env, info, &count, call.values, NULL, &data) != napi_ok) return NULL;
  if (napi_get_instance_data(env, &instance) != napi_ok || instance == NULL) return NULL;
  const struct export *export = data;
  call.environment = instance;
  call.function = export->syscall == NULL ? export->name : export->syscall;
  int64_t answer = environment_has_ended(call.environment) ? -EBADF : export->function(&call);
  if (call.stopped) {
    if (call.refusal == 0) return NULL;
    answer = call.refusal;
  } else if (call.result != NULL) {
    return call.result;
  }
  napi_value result = NULL;
  if (napi_create_int64(env, answer, &result) != napi_ok) return NULL;
  return result;
}

void call_refuse(struct call *call, int refusal) {
  if (call->stopped) return;
  call->stopped = true;
  call->refusal = refusal;
}

void call_type_error(struct call *call, const char *name, const char *expected) {
  if (call->stopped) return;
  char message[256];
  snprintf(message, sizeof message, "%s: %s must be %s", call->function, name, expected);
  call->stopped = true;
  napi_throw_type_error(call->env, "ERR_INVALID_ARG_TYPE", message);
}

void call_range_error(struct call *call, const char *name, const char *expected) {
  if (call->stopped) return;
  char message[256];
  snprintf(message, sizeof message, "%s: %s must be %s", call->function, name, expected);
  call->stopped = true;
  napi_throw_range_error(call->env, "ERR_OUT_OF_RANGE", message);
}

void call_clear_exception(struct call *call) {
  bool pending = false;
  napi_value ignored;
  if (napi_is_exception_pending(call->env, &pending) == napi_ok && pending) {
    napi_get_and_clear_last_exception(call->env, &ignored);
  }
}

static bool read_double(struct call *call, size_t index, const char *name, double *value) {
  if (call->stopped) return false;
  if (napi_get_value_double(call->env, call->values[index], value) == napi_ok) return true;
  call_type_error(call, name, "a number");
  return false;
}

int64_t call_integer(struct call *call, size_t index, const char *name, int64_t least, int64_t most) {
  double value = 0;
  if (!read_double(call, index, name, &value)) return 0;
  /* The comparison is false for NaN, and both limits are exact as doubles. */
  if (value >= (double)least && value <= (double)most && value == trunc(value)) return (int64_t)value;
  char expected[96];
  snprintf(expected, sizeof expected, "an integer from %lld to %lld", (long long)least, (long long)most);
  call_range_error(call, name, expected);
  return 0;
}

int64_t call_integer_or(struct call *call, size_t index, const char *name, int64_t least, int64_t most, int failure) {
  double value = 0;
  if (!read_double(call, index, name, &value)) return 0;
  if (!isfinite(value) || value != trunc(value)) call_range_error(call, name, "a whole number");
  else if (value < (double)least || value > (double)most) call_refuse(call, -failure);
  return call->stopped ? 0 : (int64_t)value;
}

double call_number(struct call *call, size_t index, const char *name, double least) {
  double value = 0;
  if (!read_double(call, index, name, &value)) return 0;
  if (value >= least) return value;
  char expected[64];
  snprintf(expected, sizeof expected, "at least %g", least);
  call_range_error(call, name, expected);
  return 0;
}

bool call_boolean(struct call *call, size_t index, const char *name) {
  bool value = false;
  if (call->stopped) return false;
  if (napi_get_value_bool(call->env, call->values[index], &value) != napi_ok) call_type_error(call, name, "a boolean");
  return value;
}

void call_text(struct call *call, size_t index, const char *name, struct text *text) {
  text->bytes[0] = '\0';
  if (call->stopped) return;
  size_t length = 0;
  if (napi_get_value_string_utf8(call->env, call->values[index], NULL, 0, &length) != napi_ok) {
    call_type_error(call, name, "a string");
    return;
  }
  if (length > MAX_TEXT_BYTES) {
    call_range_error(call, name, "at most 4096 bytes long");
    return;
  }
  size_t copied = 0;
  if (napi_get_value_string_utf8(call->env, call->values[index], text->bytes, sizeof text->bytes, &copied) != napi_ok) {
    call_type_error(call, name, "a string");
    return;
  }
  if (memchr(text->bytes, '\0', copied) != NULL) call_range_error(call, name, "free of NUL bytes");
}

static napi_value value_of_type(struct call *call, size_t index, napi_valuetype wanted, const char *name,
                                const char *expected) {
  napi_valuetype type = napi_undefined;
  if (call->stopped) return NULL;
  if (napi_typeof(call->env, call->values[index], &type) == napi_ok && type == wanted) return call->values[index];
  call_type_error(call, name, expected);
  return NULL;
}

napi_value call_callback(struct call *call, size_t index, const char *name) {
  return value_of_type(call, index, napi_function, name, "a function");
}

napi_value call_object(struct call *call, size_t index, const char *name) {
  return value_of_type(call, index, napi_object, name, "an object");
}

double *call_doubles(struct call *call, size_t index, const char *name, size_t length) {
  bool is_typed_array = false;
  napi_typedarray_type type = napi_int8_array;
  size_t found = 0;
  void *data = NULL;
  if (call->stopped) return NULL;
  if (napi_is_typedarray(call->env, call->values[index], &is_typed_array) != napi_ok || !is_typed_array ||
      napi_get_typedarray_info(call->env, call->values[index], &type, &found, &data, NULL, NULL) != napi_ok ||
      type != napi_float64_array) {
    call_type_error(call, name, "a Float64Array");
    return NULL;
  }
  if (found < length || (data == NULL && length > 0)) {
    char expected[64];
    snprintf(expected, sizeof expected, "at least %zu elements long", length);
    call_range_error(call, name, expected);
    return NULL;
  }
  return data;
}

struct bytes call_bytes(struct call *call, size_t index, const char *name) {
  bool is_typed_array = false;
  napi_typedarray_type type = napi_int8_array;
  void *data = NULL;
  struct bytes bytes = {.data = NULL};
  if (call->stopped) return bytes;
  if (napi_is_typedarray(call->env, call->values[index], &is_typed_array) != napi_ok || !is_typed_array ||
      napi_get_typedarray_info(call->env, call->values[index], &type, &bytes.length, &data, NULL, NULL) != napi_ok ||
      type != napi_uint8_array) {
    call_type_error(call, name, "a Uint8Array");
    return (struct bytes){.data = NULL};
  }
  bytes.data = data;
  return bytes;
}

int call_descriptor(struct call *call, size_t index, const char *name) {
  return (int)call_integer_or(call, index, name, 0, INT32_MAX, EBADF);
}

uint32_t call_bits(struct call *call, size_t index, const char *name) {
  return (uint32_t)call_integer(call, index, name, INT32_MIN, UINT32_MAX);
}

void call_field(struct call *call, napi_value object, size_t index, const char *field) {
  if (call->stopped) return;
  if (napi_get_named_property(call->env, object, field, &call->values[index]) == napi_ok) return;
  bool pending = false;
  napi_is_exception_pending(call->env, &pending);
  if (pending) {
    call->stopped = true; /* the getter's own exception is the answer */
  } else {
    call_type_error(call, field, "a property of the plan");
  }
}
