/*
 * A call that may take long, on a thread of its own: neither the event loop nor a thread of the runtime's pool waits for it.
 */
#ifndef SHMKIT_WIN32_PENDING_H
#define SHMKIT_WIN32_PENDING_H

#include "platform.h"

struct call;
struct environment;

struct pending {
  /* On its own thread; answers what the call does. Ends with -ERROR_OPERATION_ABORTED soon after `cancel` is set. */
  int64_t (*run)(struct pending *pending);
  /* Gives back what it holds, and the memory of this record. */
  void (*dispose)(struct pending *pending);
  /* An event; NULL for a call that ends by itself. */
  HANDLE cancel;

  uint32_t id;
  struct environment *environment; /* NULL once the environment has ended */
  struct pending *next;
  napi_deferred deferred;
  napi_threadsafe_function done;
  HANDLE thread;
  int64_t result;
  /* Written by the thread before it ends: whether the event loop will have the record. */
  bool posted;
};

/* Starts the call, which answers { id, promise }. Takes over `pending`, in case of failure too. 0 or -error. */
int64_t pending_start(struct call *call, const char *title, struct pending *pending);
/* Ends all those of an environment that ends, and waits for their threads; none of them calls back afterwards. */
void pending_end_all(struct environment *environment);

#endif
