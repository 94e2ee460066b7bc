/*
 * What one JavaScript environment (the main thread or a worker) has: handles, views, calls on threads of their own, and of
 * regions files and mappings.
 * Only its own thread touches this. When the environment ends, everything here is given back, in `environment_end`.
 */
#ifndef SHMKIT_WIN32_ENVIRONMENT_H
#define SHMKIT_WIN32_ENVIRONMENT_H

#include "platform.h"

#include "../table.h"

struct call;
struct pending;
struct view;

/* The longest name that TypeScript passes on. */
#define MAX_NAME_UNITS 4096

struct environment {
  napi_env env;
  bool ended;
  /* In the list of all environments, for a process that exits without running cleanup hooks. */
  DWORD thread;
  struct environment *next;
  /* One for the instance data, one for the cleanup hook: runtimes disagree on which ends first. */
  int holders;
  struct table handles;
  struct table views;
  struct table files;
  struct table mappings;
  struct pending *pending;
  uint32_t last_pending_id;
  /* A call has one name at most; it is too long for some stacks. */
  WCHAR name[MAX_NAME_UNITS + 1];
};

/* Creates the environment's record, stores it as instance data and registers the cleanup hook. */
bool environment_begin(napi_env env);
/*
 * `process.exit()` and an uncaught exception end the process without cleanup hooks. Then the environment of the exiting thread
 * leaves its regions here, which the system has made the only thread by now.
 */
void environment_leave_at_exit(void);
/*
 * Moves the cleanup hook behind every hook registered so far. Hooks run in reverse order, so that the threads of calls are
 * joined before the runtime tears down the thread-safe functions they call.
 */
bool environment_hook_last(struct environment *environment);

/* An open handle of this environment; stops with -ERROR_INVALID_HANDLE for a closed or unknown one. */
HANDLE call_handle(struct call *call, size_t index);
/* A name, valid until the next call, or NULL for none. */
const WCHAR *call_name(struct call *call, size_t index);

#endif
