/* POSIX semaphores: by name, or in memory that is mapped. */
#ifndef SHMKIT_SEMAPHORES_H
#define SHMKIT_SEMAPHORES_H

#include "platform.h"

struct environment;
struct semaphore;

/* Closes it for its environment; a thread that waits for it keeps it until its wait ends. */
void semaphore_close(struct environment *environment, struct semaphore *semaphore);

#endif
