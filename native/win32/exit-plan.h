/* How an environment leaves a region by itself when it ends without closing it. */
#ifndef SHMKIT_WIN32_EXIT_PLAN_H
#define SHMKIT_WIN32_EXIT_PLAN_H

#include "platform.h"

struct mapping;

void exit_plan_forget(struct mapping *mapping);
/* Leaves the region; the mapping is quiet. */
void exit_plan_run(struct mapping *mapping);
/* The same in a process of which this thread is all that is left. */
void exit_plan_run_at_exit(struct mapping *mapping);

#endif
