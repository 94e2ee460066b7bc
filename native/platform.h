/* What every file of the addon starts with: the system it is written for and the interface it is written against. */
#ifndef SHMKIT_PLATFORM_H
#define SHMKIT_PLATFORM_H

#ifndef __linux__
#error "This addon is written for Linux: open-file-description locks, futexes, inotify. Other systems need their own files behind src/native/contract.ts."
#endif

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define _FILE_OFFSET_BITS 64

/* 8 is what Node 20 to 26, Bun and Deno all offer; the one newer function (external SharedArrayBuffer) is found at run time. */
#define NAPI_VERSION 8
#include <node_api.h>

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

_Static_assert(sizeof(off_t) == 8, "lock bytes lie beyond 2 GiB");
_Static_assert(sizeof(void *) == 8, "regions reserve gigabytes of address space");

/* The largest integer that a JavaScript number holds exactly together with its neighbours. */
#define MAX_SAFE_INTEGER INT64_C(9007199254740991)

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
