/*
 * Futexes in a region: shared between processes (no FUTEX_PRIVATE_FLAG), with the bits of the armed word as bitsets.
 * Answers are -errno on failure.
 */
#ifndef SHMKIT_DOORBELL_H
#define SHMKIT_DOORBELL_H

#include "platform.h"

#include <stdatomic.h>
#include <time.h>

/* `Armed` in src/layout/member-slot.ts. */
enum { SLEEPER_EVENT_LOOP = 1, SLEEPER_SYNC = 2, SLEEPER_ANY = -1 };

/* Wakes every sleeper of the word whose bitset meets `mask`; the number woken. */
int futex_wake(atomic_uint_least32_t *word, int32_t mask);
/* Sleeps with bitset `sleeper` while the word equals `expected`, but not longer than the relative timeout. */
int futex_wait(atomic_uint_least32_t *word, uint32_t expected, int32_t sleeper, const struct timespec *timeout);

#endif
