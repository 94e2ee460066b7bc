/* Native threads: small, and deaf to every signal that is not a fault of their own. */
#ifndef SHMKIT_THREAD_H
#define SHMKIT_THREAD_H

#include "platform.h"

/* Starts a detached thread. 0 or -errno. */
int thread_start(void *(*run)(void *), void *argument);

#endif
