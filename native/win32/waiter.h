/*
 * The one native thread per mapping that sleeps on a doorbell for the event loop. It holds the mapping until it ends; what it
 * does to anybody else (disarming, calling back) it does under `lock`, where it finds out that it has been stopped.
 */
#ifndef SHMKIT_WIN32_WAITER_H
#define SHMKIT_WIN32_WAITER_H

#include "platform.h"

struct mapping;

struct waiter {
  /* Of the environment's thread. */
  bool started; /* and not stopped since */
  bool spent;   /* has been started: never again */
  bool referenced; /* whether the callback keeps the event loop alive */
  /* Constant while the thread runs. */
  size_t bell_offset;
  size_t armed_offset;
  HANDLE event;
  /* For those who park on the same word: who notices a death wakes them. */
  HANDLE sync_event;
  /* The doorbell's value that JavaScript knows of. The thread's own once it runs. */
  LONG seen;
  SRWLOCK lock;
  /* Under `lock`. */
  bool stopped;
  napi_threadsafe_function callback; /* NULL once it may not be touched any more */
};

/* Stops the thread, if any: after this it neither changes the mapping nor calls back. On the environment's thread. */
void waiter_stop(struct mapping *mapping);
/* Adds 1 to the doorbell and wakes its sleepers. */
void waiter_ring(struct mapping *mapping);
/* Nobody has the mapping any more. */
void waiter_free(struct mapping *mapping);

#endif
