/* A member's liveness byte, locked through a description of its own for as long as that is open. */
#ifndef SHMKIT_WIN32_PIN_H
#define SHMKIT_WIN32_PIN_H

#include "platform.h"

struct mapping;

/* What files that are there as long as their members begin with; then the region's number. */
#define PRESENCE_PREFIX L".shmkit-alive-"

/* Releases the byte, if any. */
void drop_pin(struct mapping *mapping);

#endif
