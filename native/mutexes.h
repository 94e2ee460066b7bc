/* Mutexes of the C library in mapped memory, process-shared. The thread that locked one owns it. */
#ifndef SHMKIT_MUTEXES_H
#define SHMKIT_MUTEXES_H

#include "platform.h"

struct call;
struct environment;
struct placed;

/* Argument `index`. Stops the call for what is none, and for contents that the C library would not survive. */
struct placed *call_mutex(struct call *call, size_t index);
/* 0 or -errno; -EPERM when this thread does not have it. */
int64_t mutex_unlock(struct placed *mutex);
/*
 * What the kernel does with the robust mutexes of a thread that ends, for those of an environment that ends: their memory is about
 * to go. On the environment's thread.
 */
void mutexes_abandon(const struct environment *environment);

#endif
