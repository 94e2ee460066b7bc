/*
 * An object of the C library's in mapped memory, such as a semaphore, that JavaScript knows by a number. It keeps its memory,
 * and threads that wait for it keep it.
 */
#ifndef SHMKIT_PLACED_H
#define SHMKIT_PLACED_H

#include "platform.h"

#include <stdatomic.h>

struct call;
struct environment;
struct mapping;

enum placed_kind { PLACED_SEMAPHORE, PLACED_MUTEX, PLACED_CONDITION };

struct placed {
  enum placed_kind kind;
  void *object;
  /* Memory of the user's, or one of its own, which has no number, for a semaphore with a name. */
  struct mapping *mapping;
  uint32_t id;
  atomic_int holders;
};

/* Arguments 0 and 1: mapping, offset. The address, where as many bytes are the object's; stops the call otherwise. */
void *call_place(struct call *call, size_t size, size_t alignment, struct mapping **mapping);
/* Gives the object its number, which it answers, or -ENOMEM. Takes over a hold of the mapping, in case of failure too. */
int64_t placed_offer(struct call *call, enum placed_kind kind, void *object, struct mapping *mapping);
/* The object of that kind; stops with -EINVAL when it or its memory was given up, with -EIO when its memory is lost. */
struct placed *call_placed(struct call *call, size_t index, const char *name, enum placed_kind kind);
/* Ends the use of argument 0 here: 0 or -EINVAL. */
int64_t call_placed_close(struct call *call, const char *name, enum placed_kind kind);
void placed_hold(struct placed *placed);
/* On any thread. */
void placed_release(struct placed *placed);
/* Closes it for its environment. */
void placed_close(struct environment *environment, struct placed *placed);

#endif
