/*
 * The guard against SIGBUS: a page of a region that its file no longer backs (truncated by a peer, or punched on a full
 * file system) would end the process at the next access. Inside a guarded range it loses the region instead. And against
 * SIGSEGV, where a mapping faults on write: the write makes a private copy.
 */
#ifndef SHMKIT_GUARD_H
#define SHMKIT_GUARD_H

#include "platform.h"

struct mapping;

/* Guards the mapping's range, installing the handler the first time. 0 or -errno. */
int guard_add(struct mapping *mapping);
/* From now on the first write to what may only be read of it makes a private copy. 0 or -errno. */
int guard_against_writes(struct mapping *mapping);
/* The range has been replaced by private memory already: no access can fault between the two. */
void guard_remove(struct mapping *mapping);

#endif
