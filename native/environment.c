#include "environment.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "death.h"
#include "exit-plan.h"
#include "interruptible.h"
#include "mapping.h"
#include "mutexes.h"
#include "placed.h"

static void environment_release(struct environment *environment) {
  if (--environment->holders == 0) free(environment);
}

static void forget_instance(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  environment_release(data);
}

/* Somebody may have closed it by other means, and the number may be another file's by now. */
static bool is_still_open(const struct owned_descriptor *owned) {
  struct stat now;
  return fstat(owned->descriptor, &now) == 0 && now.st_dev == owned->device && now.st_ino == owned->inode;
}

/* A worker that is terminated runs no `finally`: a descriptor left open here would hold its locks until the process ends. */
static void close_descriptors(struct environment *environment) {
  for (size_t i = 0; i < environment->descriptor_count; i++) {
    const struct owned_descriptor *owned = &environment->descriptors[i];
    if (is_still_open(owned)) close(owned->descriptor);
  }
  free(environment->descriptors);
  environment->descriptors = NULL;
  environment->descriptor_count = environment->descriptor_capacity = 0;
}

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct environment *all_environments;
static pid_t exit_handler_process;

/*
 * `process.exit()` and an uncaught exception end the process without cleanup hooks, by exit() or quick_exit(). Then the
 * environments of the exiting thread leave their regions here: their JavaScript is over. That of other threads may be
 * running still (Bun, Deno), so that theirs end as if killed.
 */
static void leave_at_exit(void) {
  /* A forked child that exits has the parent's mappings, but none of its business. */
  if (getpid() != exit_handler_process) return;
  pthread_mutex_lock(&list_lock);
  for (struct environment *environment = all_environments; environment != NULL; environment = environment->next) {
    if (!pthread_equal(environment->thread, pthread_self())) continue;
    environment->ended = true;
    interruptible_end_all_at_exit(environment);
    mutexes_abandon(environment);
    for (struct mapping *mapping; (mapping = table_last(&environment->mappings)) != NULL;) {
      environment_remove_mapping(environment, mapping);
      unwatch_deaths(mapping);
      waiter_stop_at_exit(mapping);
      exit_plan_run(mapping);
    }
  }
  pthread_mutex_unlock(&list_lock);
}

static void list_add(struct environment *environment) {
  pthread_mutex_lock(&list_lock);
  environment->thread = pthread_self();
  environment->next = all_environments;
  all_environments = environment;
  if (exit_handler_process != getpid()) {
    exit_handler_process = getpid();
    atexit(leave_at_exit);
    at_quick_exit(leave_at_exit);
  }
  pthread_mutex_unlock(&list_lock);
}

static void list_remove(const struct environment *environment) {
  pthread_mutex_lock(&list_lock);
  for (struct environment **link = &all_environments; *link != NULL; link = &(*link)->next) {
    if (*link != environment) continue;
    *link = environment->next;
    break;
  }
  pthread_mutex_unlock(&list_lock);
}

static void environment_end(void *data) {
  struct environment *environment = data;
  list_remove(environment);
  environment->ended = true;
  interruptible_end_all(environment);
  mutexes_abandon(environment);
  for (struct placed *placed; (placed = table_last(&environment->placed)) != NULL;) placed_close(environment, placed);
  table_free(&environment->placed);
  for (struct mapping *mapping; (mapping = table_last(&environment->mappings)) != NULL;) {
    mapping_quiesce(mapping);
    exit_plan_run(mapping);
    environment_remove_mapping(environment, mapping);
    mapping_close(mapping);
  }
  table_free(&environment->mappings);
  close_descriptors(environment);
  environment_release(environment);
}

bool environment_begin(napi_env env) {
  struct environment *environment = calloc(1, sizeof *environment);
  if (environment == NULL) return false;
  environment->env = env;
  environment->holders = 2;
  if (napi_set_instance_data(env, environment, forget_instance, NULL) != napi_ok) {
    free(environment);
    return false;
  }
  if (napi_add_env_cleanup_hook(env, environment_end, environment) != napi_ok) return false;
  list_add(environment);
  return true;
}

bool environment_hook_last(struct environment *environment) {
  return napi_remove_env_cleanup_hook(environment->env, environment_end, environment) == napi_ok &&
         napi_add_env_cleanup_hook(environment->env, environment_end, environment) == napi_ok;
}

bool environment_has_ended(const struct environment *environment) {
  return environment->ended;
}

struct mapping *environment_mapping(const struct environment *environment, uint32_t id) {
  return table_find(&environment->mappings, id);
}

bool environment_add_mapping(struct environment *environment, struct mapping *mapping) {
  mapping->id = table_add(&environment->mappings, mapping);
  return mapping->id != 0;
}

void environment_remove_mapping(struct environment *environment, const struct mapping *mapping) {
  table_remove(&environment->mappings, mapping->id);
}

static struct owned_descriptor *find_record(struct environment *environment, int descriptor) {
  for (size_t i = 0; i < environment->descriptor_count; i++) {
    if (environment->descriptors[i].descriptor == descriptor) return &environment->descriptors[i];
  }
  return NULL;
}

static void remove_record(struct environment *environment, struct owned_descriptor *owned) {
  *owned = environment->descriptors[--environment->descriptor_count];
}

static int adopt(struct environment *environment, int descriptor, bool is_users) {
  struct stat found;
  if (descriptor < 0) return descriptor;
  /* The number was free: whoever had it before has closed it by other means. */
  struct owned_descriptor *stale = find_record(environment, descriptor);
  if (stale != NULL) remove_record(environment, stale);
  void *elements = environment->descriptors;
  if (fstat(descriptor, &found) != 0 || !reserve(&elements, environment->descriptor_count,
                                                 &environment->descriptor_capacity, sizeof(struct owned_descriptor))) {
    close(descriptor);
    return -ENOMEM;
  }
  environment->descriptors = elements;
  environment->descriptors[environment->descriptor_count++] = (struct owned_descriptor){
      .descriptor = descriptor, .is_users = is_users, .device = found.st_dev, .inode = found.st_ino};
  return descriptor;
}

int environment_adopt(struct environment *environment, int descriptor) {
  return adopt(environment, descriptor, false);
}

int environment_adopt_for_user(struct environment *environment, int descriptor) {
  return adopt(environment, descriptor, true);
}

const struct owned_descriptor *environment_owned(struct environment *environment, int descriptor) {
  struct owned_descriptor *owned = find_record(environment, descriptor);
  if (owned == NULL || is_still_open(owned)) return owned;
  remove_record(environment, owned);
  return NULL;
}

int environment_close(struct environment *environment, int descriptor) {
  if (environment_owned(environment, descriptor) == NULL) return -EBADF;
  remove_record(environment, find_record(environment, descriptor));
  /* Linux frees the number even when close is interrupted: never close twice. */
  return close(descriptor) == 0 || errno == EINTR ? 0 : -errno;
}
