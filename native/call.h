/*
 * One call from JavaScript. Functions of the addon read their arguments with the readers below, ask once whether one of
 * them `stopped` the call, and only then act:
 *
 *   int descriptor = call_descriptor(call, 0);
 *   int64_t offset = call_integer(call, 1, "offset", 0, MAX_SAFE_INTEGER);
 *   if (call->stopped) return 0;
 *
 * The first wrong argument wins; after it every reader answers zero. No reader but `call_field` runs user code.
 */
#ifndef SHMKIT_CALL_H
#define SHMKIT_CALL_H

#include "portable.h"

#define MAX_ARGUMENTS 6
#define MAX_TEXT_BYTES 4096

struct environment;

struct call {
  napi_env env;
  struct environment *environment;
  const char *function;
  napi_value values[MAX_ARGUMENTS];
  /* What the call answers if not the number that the function returned. */
  napi_value result;
  bool stopped;
  /* With `stopped`: the -errno to answer, or 0 when an exception is pending. */
  int refusal;
};

/* Answers a number, or anything when it sets `call->result`. */
typedef int64_t (*native_function)(struct call *call);

struct export {
  const char *name;
  native_function function;
  /* What messages call it, if its own name is none that users know. */
  const char *syscall;
};

struct text {
  char bytes[MAX_TEXT_BYTES + 1];
};

/* Each addon has environments of its own: the instance data that calls find. */
bool environment_has_ended(const struct environment *environment);

/* The napi_callback behind every exported function; its data is a `struct export`. */
napi_value call_dispatch(napi_env env, napi_callback_info info);

int64_t call_integer(struct call *call, size_t index, const char *name, int64_t least, int64_t most);
/* The same, where the system says how it refuses other whole numbers: by errno `failure`. */
int64_t call_integer_or(struct call *call, size_t index, const char *name, int64_t least, int64_t most, int failure);
/* A finite or infinite number that is not below `least` (nor NaN). */
double call_number(struct call *call, size_t index, const char *name, double least);
bool call_boolean(struct call *call, size_t index, const char *name);
/* UTF-8 without NUL bytes, at most MAX_TEXT_BYTES. */
void call_text(struct call *call, size_t index, const char *name, struct text *text);
napi_value call_callback(struct call *call, size_t index, const char *name);
napi_value call_object(struct call *call, size_t index, const char *name);
/* The memory of a Float64Array with at least `length` elements. */
double *call_doubles(struct call *call, size_t index, const char *name, size_t length);
/* The memory of a Uint8Array, which may be NULL when it has no bytes. */
struct bytes {
  uint8_t *data;
  size_t length;
};
struct bytes call_bytes(struct call *call, size_t index, const char *name);
/* -EBADF for a whole number that none can be. */
int call_descriptor(struct call *call, size_t index, const char *name);
/* A 32-bit pattern, written as a signed or as an unsigned number. */
uint32_t call_bits(struct call *call, size_t index, const char *name);

/* Replaces argument `index` by its property `field`. May run user code (getters): read every field before looking up anything. */
void call_field(struct call *call, napi_value object, size_t index, const char *field);

/* Stops the call with -errno. */
void call_refuse(struct call *call, int refusal);
void call_type_error(struct call *call, const char *name, const char *expected);
void call_range_error(struct call *call, const char *name, const char *expected);
/* Forgets what a failed Node-API call left pending, so that -errno can be answered instead. */
void call_clear_exception(struct call *call);

#endif
