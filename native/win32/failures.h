/* Errors of Windows as those of C, which the contract of regions speaks of: the numbers that Node's `os.constants.errno` has. */
#ifndef SHMKIT_WIN32_FAILURES_H
#define SHMKIT_WIN32_FAILURES_H

#include "platform.h"

/* -errno for an error of the system's. */
int failure_of(DWORD error);
/* The same of the last one. */
int last_failure(void);

#endif
