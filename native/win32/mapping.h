/*
 * A mapped region: a view of its section, and what a member has beside it. Kept by its environment while it is open, and by its
 * waiter's thread until that ends.
 */
#ifndef SHMKIT_WIN32_MAPPING_H
#define SHMKIT_WIN32_MAPPING_H

#include "platform.h"

#include "region-names.h"
#include "views.h"
#include "waiter.h"

struct call;
struct environment;
struct exit_plan;
struct file;

/* An event that somebody who sleeps on a word is woken by. */
struct bell {
  uint64_t offset;
  int sleeper;
  HANDLE event;
};

struct mapping {
  struct view *view;
  /* The beginning of the view: it stays there, whatever is behind it. */
  uint8_t *base;
  bool writable;
  uint32_t id;
  volatile LONG holders;
  struct region_id region;
  /* The open file that commits memory through it, or NULL. */
  struct file *file;
  /* For the case that its addresses are another's in the end. */
  napi_ref buffer;

  /* Those rung or slept on so far; of the environment's thread. */
  struct bell *bells;
  size_t bell_count;
  size_t bell_capacity;

  /* A description that holds the liveness byte, and the file that goes with its process, or INVALID_HANDLE_VALUE. */
  HANDLE pin;
  HANDLE presence;
  int64_t pin_offset;
  struct waiter waiter;
  struct exit_plan *exit_plan;

  /* Under the lock of death.c. */
  struct mapping *next_watched;
};

static inline volatile LONG *mapping_word(const struct mapping *mapping, size_t offset) {
  return (volatile LONG *)(void *)(mapping->base + offset);
}

static inline bool mapping_is_lost(const struct mapping *mapping) {
  return mapping->view->status[STATUS_LOST] != 0;
}

/* An open mapping of this environment; stops with -EBADF for a closed or unknown one. */
struct mapping *call_mapping(struct call *call, size_t index);
/* The offset of a 32-bit word inside `mapping`, which may be NULL when the call is stopped already. */
size_t call_word(struct call *call, size_t index, const char *name, const struct mapping *mapping);
void mapping_hold(struct mapping *mapping);
void mapping_release(struct mapping *mapping);
/* After it, no native thread changes the mapping or calls back. */
void mapping_quiesce(struct mapping *mapping);
/* Ends the use of it, as closing does and the end of the environment; false when its buffer must lead nowhere any more. */
bool mapping_close(struct environment *environment, struct mapping *mapping);
/* Runs the exit plan, and ends the use of it. */
void mapping_leave(struct environment *environment, struct mapping *mapping);

#endif
