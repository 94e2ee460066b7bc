/*
 * Sleeping on words of a region. Windows' own calls for that reach one process only, so that each word has an event for each
 * kind of its sleepers. Whoever changed the word sets them; it stays set until the sleeper sees it, so that no ring is lost.
 */
#ifndef SHMKIT_WIN32_DOORBELL_H
#define SHMKIT_WIN32_DOORBELL_H

#include "platform.h"

struct mapping;

/* `Armed` in src/layout/member-slot.ts: a word has one sleeper of each kind at most. */
enum { SLEEPER_EVENT_LOOP = 1, SLEEPER_SYNC = 2 };

/* The event by which sleepers of this kind are woken; it is the caller's. NULL with GetLastError on failure. */
HANDLE open_bell(const struct mapping *mapping, size_t offset, int sleeper);

#endif
