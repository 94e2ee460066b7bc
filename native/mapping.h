/*
 * A mapped region. The record outlives `closeMapping`: JavaScript may hold views of the range and of the status words for
 * as long as it likes, so each is kept by a count of holders.
 *
 *   range  (base, length)  held by the environment while open, by the buffer until it is finalized, by the waiter thread
 *   record (this struct)   held by all of them, and by the status buffer until it is finalized
 *
 * Finalizers may run on any thread; everything else happens on the environment's thread, except what the fault handler
 * and the two kinds of native thread do: they use the range, the atomic members, and what waiter.h and death.c lock.
 */
#ifndef SHMKIT_MAPPING_H
#define SHMKIT_MAPPING_H

#include "platform.h"

#include <stdatomic.h>

#include "waiter.h"

/* StatusWord in src/native/contract.ts. */
enum { STATUS_LOST = 0, STATUS_DEATH_HINTS = 1, STATUS_DRAIN_POSTED = 2, STATUS_WORDS = 4 };

struct call;
struct environment;
struct exit_plan;
struct guard_entry;

struct mapping {
  /* Read by JavaScript through `status`. */
  atomic_int_least32_t status[STATUS_WORDS];
  /* Whole pages; `usable` is the length that was asked for and the buffer's. */
  uint8_t *base;
  size_t length;
  size_t usable;
  bool writable;
  /* Of System V: the system gives no private copy of it; where it may only be read, the first write makes one. */
  bool is_segment;
  bool faults_on_write;
  /* Of a file whose protection can change: what is mapped, or -1. */
  int file;
  int64_t file_offset;
  /* Of a named semaphore's: its file. */
  dev_t device;
  ino_t inode;
  uint32_t id;
  atomic_int range_holders;
  atomic_int record_holders;

  /* How many mutexes in it threads of this process have: it is not replaced under them. */
  atomic_int locked;
  struct guard_entry *guard;
  /* The page whose mapping holds the liveness byte, or NULL. Exchanged by whoever drops it, the fault handler included. */
  _Atomic(void *) pin_page;
  int64_t pin_offset;
  struct waiter waiter;
  struct exit_plan *exit_plan;

  /* Under the lock of death.c. */
  struct mapping *next_watched;
  struct watch *watch;
};

/* True where the runtime can make a SharedArrayBuffer of memory that it did not allocate. */
bool mapping_can_share(void);

static inline bool mapping_contains(const struct mapping *mapping, uint64_t offset, uint64_t length) {
  return offset <= mapping->usable && length <= mapping->usable - offset;
}

static inline atomic_uint_least32_t *mapping_word(const struct mapping *mapping, size_t offset) {
  return (atomic_uint_least32_t *)(void *)(mapping->base + offset);
}

static inline bool mapping_is_lost(struct mapping *mapping) {
  return atomic_load(&mapping->status[STATUS_LOST]) != 0;
}

/* A record without a range; NULL when out of memory. Freed by `mapping_offer`, or by `free` before. */
struct mapping *mapping_create(size_t length, bool writable);
/* Has its range from now on, of `length` rounded up to whole pages; guards it. 0, or -errno with the range unmapped. */
int mapping_guard(struct mapping *mapping, void *base);
/* Gives the mapping to the environment and to JavaScript, as the answer of the call; in case of failure frees all. 0 or -errno. */
int mapping_offer(struct call *call, struct mapping *mapping, bool shared);
/* An open mapping of this environment; stops with -EBADF for a closed or unknown one. */
struct mapping *call_mapping(struct call *call, size_t index);
/* The offset of a 32-bit word inside `mapping`, which may be NULL when the call is stopped already. */
size_t call_word(struct call *call, size_t index, const char *name, const struct mapping *mapping);
/* Replaces the range by zeroes that nobody else has, over whatever is there. Async-signal-safe. */
bool mapping_replace(struct mapping *mapping);
/*
 * What follows a fault: private zeroes, the lost flag, no liveness any more. Async-signal-safe, and harmless when several
 * threads do it at once.
 */
bool mapping_lose(struct mapping *mapping);
/*
 * What follows a write to pages that may only be read: they become private ones of the same contents, and the mapping is
 * marked as lost. Async-signal-safe.
 */
bool mapping_copy(struct mapping *mapping);
/* Another holder of range and record; the caller has one itself. */
void mapping_hold(struct mapping *mapping);
void mapping_release(struct mapping *mapping);
/* After it, no native thread changes the mapping or calls back. */
void mapping_quiesce(struct mapping *mapping);
/* The rest of closing; the mapping is quiet and no longer in its environment's table. 0 or -ENOMEM, closed either way. */
int mapping_close(struct mapping *mapping);

#endif
