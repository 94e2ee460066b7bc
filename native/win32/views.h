/*
 * A mapped view of a file. The record outlives `unmapViewOfFile`: JavaScript may hold its buffer and the buffer of the status
 * words for as long as it likes, so each is kept by a count of holders.
 *
 *   range  (base, length)  held by the environment while open, by the buffer until it is finalized, by a flush
 *   record (this struct)   held by all of them, and by the status buffer until it is finalized
 *
 * Nothing else may get the addresses of a range that JavaScript's views still lead to: unmapped, it is reserved again at once,
 * and its pages become zeroes of this process's own when somebody touches them. A vectored exception handler sees to that, and
 * waits for the moment between to be over, in which the addresses are free: so views lie where nobody else's memory comes.
 */
#ifndef SHMKIT_WIN32_VIEWS_H
#define SHMKIT_WIN32_VIEWS_H

#include "platform.h"

/* StatusWord in src/native/contract.ts. */
enum { STATUS_LOST = 0, STATUS_DEATH_HINTS = 1, STATUS_DRAIN_POSTED = 2, STATUS_WORDS = 4 };

struct call;
struct environment;

struct view {
  /* Read by JavaScript through `status`. */
  volatile LONG status[STATUS_WORDS];
  /* Whole pages; `usable` is the buffer's length. NULL when the range could not be reserved again. */
  uint8_t *base;
  size_t length;
  size_t usable;
  bool writable;
  uint32_t id;
  volatile LONG range_holders;
  volatile LONG record_holders;

  /* Under the lock of views.c. */
  bool closed;
  struct view *next;
};

/*
 * Maps a file mapping, for the caller and for a buffer of JavaScript's; length 0: to its end. NULL with the error. For reading
 * only, its pages are private copies from the first write on.
 */
struct view *view_map(HANDLE mapping, bool writable, uint64_t offset, size_t length, DWORD *error);
/* Gives one that `view_offer` has not seen back. */
void view_forget(struct view *view);
/* Makes { id, buffer, status } the answer of the call. False when the runtime refuses; the caller still has its hold then. */
bool view_offer(struct call *call, struct view *view, uint32_t id, napi_value *buffer);
/* Another holder of range and record; the caller has one itself. */
void view_hold(struct view *view);
void view_release(struct view *view);
/* Replaces the pages by zeroes; false when other memory may be at its addresses. */
bool view_replace(struct view *view);
/* Has memory behind some pages of a view of SEC_RESERVE. ERROR_SUCCESS, or why not. */
DWORD view_commit(struct view *view, uint64_t offset, uint64_t length);
/* Ends the use of a view that is open in the environment; false when other memory may be at its addresses. */
bool view_close(struct environment *environment, struct view *view);

#endif
