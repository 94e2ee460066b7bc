/*
 * What one JavaScript environment (the main thread or a worker) owns: its mappings and the descriptors it opened. Only
 * its own thread touches this. When the environment ends, everything here is given back, in `environment_end`.
 */
#ifndef SHMKIT_ENVIRONMENT_H
#define SHMKIT_ENVIRONMENT_H

#include "platform.h"

#include <pthread.h>

#include "table.h"

struct interruptible;
struct mapping;

struct owned_descriptor {
  int descriptor;
  /* Given to the user, who may close it by its number. */
  bool is_users;
  dev_t device;
  ino_t inode;
};

struct environment {
  napi_env env;
  bool ended;
  /* In the list of all environments, for a process that exits without running cleanup hooks. */
  pthread_t thread;
  struct environment *next;
  /* One for the instance data, one for the cleanup hook: runtimes disagree on which ends first. */
  int holders;
  struct table mappings;
  struct owned_descriptor *descriptors;
  size_t descriptor_count;
  size_t descriptor_capacity;
  /* Calls that wait on threads of their own. */
  struct interruptible *interruptibles;
  uint32_t last_interruptible_id;
  struct table placed;
};

/* Creates the environment's record, stores it as instance data and registers the cleanup hook. */
bool environment_begin(napi_env env);
/*
 * Moves the cleanup hook behind every hook registered so far. Hooks run in reverse order, so that the waiter threads are
 * joined before the runtime tears down the thread-safe functions they call.
 */
bool environment_hook_last(struct environment *environment);

struct mapping *environment_mapping(const struct environment *environment, uint32_t id);
/* Takes over the mapping and gives it its id, or answers false when out of memory or ids. */
bool environment_add_mapping(struct environment *environment, struct mapping *mapping);
void environment_remove_mapping(struct environment *environment, const struct mapping *mapping);

/* Takes over `descriptor` (negative ones pass through); answers it, or -ENOMEM after closing it. */
int environment_adopt(struct environment *environment, int descriptor);
/* The same for one that the user asked for. */
int environment_adopt_for_user(struct environment *environment, int descriptor);
/* What was adopted under this number, NULL if nothing was or somebody closed it by other means. */
const struct owned_descriptor *environment_owned(struct environment *environment, int descriptor);
/* Closes a descriptor that was adopted; -EBADF for any other. */
int environment_close(struct environment *environment, int descriptor);

#endif
