/* How an environment leaves a region that nobody closed before it ended. */
#ifndef SHMKIT_EXIT_PLAN_H
#define SHMKIT_EXIT_PLAN_H

#include "platform.h"

struct mapping;

/* Leaves the region: drops the pin and, as the last one, marks it closed and removes its name. Needs no plan to drop the pin. */
void exit_plan_run(struct mapping *mapping);
void exit_plan_forget(struct mapping *mapping);

#endif
