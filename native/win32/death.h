/* Notice of death: the file of a member's presence goes with its process, and the system tells. A hint only; byte locks decide. */
#ifndef SHMKIT_WIN32_DEATH_H
#define SHMKIT_WIN32_DEATH_H

#include "platform.h"

struct mapping;

/* Stops the watch, if any. After it, no other thread rings this mapping. */
void unwatch_deaths(struct mapping *mapping);

#endif
