/* A liveness byte, locked for as long as one page stays mapped. */
#ifndef SHMKIT_PIN_H
#define SHMKIT_PIN_H

#include "platform.h"

struct mapping;

/* Releases the byte, if any. Async-signal-safe; whoever comes first does it. */
void drop_pin(struct mapping *mapping);

#endif
