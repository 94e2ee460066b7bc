/* What every file of the addon for Linux starts with. */
#ifndef SHMKIT_PLATFORM_H
#define SHMKIT_PLATFORM_H

#ifndef __linux__
#error "These files are written for Linux: open-file-description locks, futexes, inotify. Other systems need their own behind src/native/contract.ts."
#endif

#include "portable.h"

#include <errno.h>
#include <sys/types.h>

_Static_assert(sizeof(off_t) == 8, "lock bytes lie beyond 2 GiB");

#endif
