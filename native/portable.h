/* What the files start with that the addons of all systems are made of: the interface they are written against. */
#ifndef SHMKIT_PORTABLE_H
#define SHMKIT_PORTABLE_H

/* What Linux's headers offer; before any of them. */
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#define _FILE_OFFSET_BITS 64

/* 8 is what Node 20 to 26, Bun and Deno all offer; the one newer function (external SharedArrayBuffer) is found at run time. */
#define NAPI_VERSION 8
#include <node_api.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

_Static_assert(sizeof(void *) == 8, "regions reserve gigabytes of address space");

/* NATIVE_ABI in src/native/contract.ts. */
#define SHMKIT_NATIVE_ABI 9

/* The largest integer that a JavaScript number holds exactly together with its neighbours. */
#define MAX_SAFE_INTEGER INT64_C(9007199254740991)

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
