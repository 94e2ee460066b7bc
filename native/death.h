/* Notice of death: a process that dies closes its region's file, and inotify tells. A hint only; byte locks decide. */
#ifndef SHMKIT_DEATH_H
#define SHMKIT_DEATH_H

#include "platform.h"

struct mapping;

/* Stops the watch, if any. After it, no other thread rings this mapping. */
void unwatch_deaths(struct mapping *mapping);

#endif
