#include "death.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "doorbell.h"
#include "exports.h"
#include "files.h"
#include "mapping.h"
#include "thread.h"

/*
 * One inotify descriptor and one thread per process, alive while anything is watched. Everything below is under `lock`.
 * The thread holds it while ringing, so that a mapping cannot be given up under it; a fault meanwhile is the guard's,
 * which takes no lock. Only the thread closes the descriptor it reads: when the last watch goes, the kernel's
 * IN_IGNORED wakes it, and it ends unless something is watched again by then.
 */
struct watch {
  int id;
  struct mapping *mappings;
  struct watch *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int inotify = -1;
static struct watch *watches;

static void notify(struct watch *watch) {
  for (struct mapping *mapping = watch->mappings; mapping != NULL; mapping = mapping->next_watched) {
    atomic_fetch_add(&mapping->status[STATUS_DEATH_HINTS], 1);
    atomic_uint_least32_t *bell = mapping_word(mapping, mapping->waiter.bell_offset);
    atomic_fetch_add(bell, 1);
    if (futex_wake(bell, SLEEPER_ANY) == -EFAULT) mapping_lose(mapping);
  }
}

static void handle_event(const struct inotify_event *event) {
  if ((event->mask & IN_IGNORED) != 0) return;
  for (struct watch *watch = watches; watch != NULL; watch = watch->next) {
    /* Events were lost: anybody may have died. */
    if ((event->mask & IN_Q_OVERFLOW) != 0 || watch->id == event->wd) notify(watch);
  }
}

static void handle_events(const char *bytes, size_t length) {
  for (size_t at = 0; at + sizeof(struct inotify_event) <= length;) {
    const struct inotify_event *event = (const struct inotify_event *)(const void *)(bytes + at);
    handle_event(event);
    at += sizeof *event + event->len;
  }
}

/* Nobody reads any more: mappings keep what their members find out by probing. */
static void forget_watches(void) {
  while (watches != NULL) {
    struct watch *watch = watches;
    for (struct mapping *mapping = watch->mappings; mapping != NULL; mapping = mapping->next_watched) mapping->watch = NULL;
    watches = watch->next;
    free(watch);
  }
}

static void *death_run(void *data) {
  const int descriptor = (int)(intptr_t)data;
  _Alignas(struct inotify_event) char bytes[4096];
  prctl(PR_SET_NAME, "shmkit-deaths");
  for (;;) {
    ssize_t length = read(descriptor, bytes, sizeof bytes);
    if (length < 0 && errno == EINTR) continue;
    pthread_mutex_lock(&lock);
    if (length > 0) handle_events(bytes, (size_t)length);
    if (length <= 0) forget_watches();
    bool over = watches == NULL;
    if (over) inotify = -1;
    pthread_mutex_unlock(&lock);
    if (!over) continue;
    close(descriptor); /* takes the kernel milliseconds: not under the lock, which the event loop takes */
    return NULL;
  }
}

static struct watch *find_or_add_watch(int id) {
  for (struct watch *watch = watches; watch != NULL; watch = watch->next) {
    if (watch->id == id) return watch;
  }
  struct watch *watch = calloc(1, sizeof *watch);
  if (watch == NULL) return NULL;
  *watch = (struct watch){.id = id, .next = watches};
  watches = watch;
  return watch;
}

/* Watches the inode; the id, which is the same for every descriptor of the inode, or -errno. */
static int add_watch(int watcher, int descriptor) {
  char path[DESCRIPTOR_PATH_BYTES];
  descriptor_path(descriptor, path);
  int id = inotify_add_watch(watcher, path, IN_CLOSE_WRITE);
  return id < 0 ? -errno : id;
}

/* The first watch, and the thread that reads its events; the id or -errno. */
static int start(int descriptor) {
  int watcher = inotify_init1(IN_CLOEXEC);
  if (watcher < 0) return -errno;
  int id = add_watch(watcher, descriptor);
  int failure = id < 0 ? id : thread_start(death_run, (void *)(intptr_t)watcher);
  if (failure != 0) {
    close(watcher);
    return failure;
  }
  inotify = watcher;
  return id;
}

static int add(struct mapping *mapping, int descriptor) {
  int id = inotify < 0 ? start(descriptor) : add_watch(inotify, descriptor);
  if (id < 0) return id;
  struct watch *watch = find_or_add_watch(id);
  if (watch == NULL) {
    inotify_rm_watch(inotify, id);
    return -ENOMEM;
  }
  mapping->watch = watch;
  mapping->next_watched = watch->mappings;
  watch->mappings = mapping;
  return 0;
}

static void remove_watch(struct watch *watch) {
  for (struct watch **link = &watches; *link != NULL; link = &(*link)->next) {
    if (*link != watch) continue;
    *link = watch->next;
    break;
  }
  inotify_rm_watch(inotify, watch->id);
  free(watch);
}

void unwatch_deaths(struct mapping *mapping) {
  pthread_mutex_lock(&lock);
  struct watch *watch = mapping->watch;
  if (watch != NULL) {
    for (struct mapping **link = &watch->mappings; *link != NULL; link = &(*link)->next_watched) {
      if (*link != mapping) continue;
      *link = mapping->next_watched;
      break;
    }
    mapping->watch = NULL;
    if (watch->mappings == NULL) remove_watch(watch);
  }
  pthread_mutex_unlock(&lock);
}

int64_t watch_deaths(struct call *call) {
  struct mapping *mapping = call_mapping(call, 0);
  int descriptor = call_descriptor(call, 1, "fd");
  if (call->stopped) return 0;
  if (!mapping->waiter.started) return -EINVAL;
  unwatch_deaths(mapping);
  pthread_mutex_lock(&lock);
  int answer = add(mapping, descriptor);
  pthread_mutex_unlock(&lock);
  return answer;
}
