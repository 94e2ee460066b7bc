/* How an environment leaves a region that nobody closed before it ended. */
#ifndef SHMKIT_EXIT_PLAN_H
#define SHMKIT_EXIT_PLAN_H

#include "platform.h"

struct mapping;

/*
 * Leaves the region: takes the memory away, drops the pin and, as the last one, marks the region closed and removes its
 * name. The mapping is quiet. Without a plan it only leaves.
 */
void exit_plan_run(struct mapping *mapping);
void exit_plan_forget(struct mapping *mapping);

#endif
