/*
 * The one native thread per mapping that sleeps on a doorbell for the event loop.
 *
 * Nobody joins it: a region that was lost leaves it asleep on a word that nothing can wake any more, and the event loop
 * must not wait for that. It holds the mapping's range and record until it ends; and what it does to anybody else
 * (disarming, calling back) it does under `lock`, where it finds out that it has been stopped.
 */
#ifndef SHMKIT_WAITER_H
#define SHMKIT_WAITER_H

#include "platform.h"

#include <pthread.h>
#include <stdatomic.h>

struct mapping;

struct waiter {
  /* Of the environment's thread. */
  bool started; /* and not stopped since */
  bool spent;   /* has been started: never again, since a stopped thread may take its time to notice */
  bool referenced; /* whether the callback keeps the event loop alive */
  /* Constant while the thread runs. */
  size_t bell_offset;
  size_t armed_offset;
  /* The doorbell's value that JavaScript knows of. The thread's own once it runs. */
  uint32_t seen;
  atomic_bool stopped;
  pthread_mutex_t lock;
  /* Under `lock`: NULL once it may not be touched any more. */
  napi_threadsafe_function callback;
};

/* Stops the thread, if any: after this it neither changes the mapping nor calls back. On the environment's thread. */
void waiter_stop(struct mapping *mapping);
/* The same when the runtime may be gone already. */
void waiter_stop_at_exit(struct mapping *mapping);

#endif
