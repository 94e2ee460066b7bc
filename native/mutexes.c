/*
 * Each thread keeps a list of the mutexes that it has locked, beside the list of its robust ones that the C library and the
 * kernel keep. The links of the latter lie inside the mutexes, in memory that others write, and the C library follows them
 * blindly. So they are put right from the former before each call that follows them.
 *
 * What this takes of the C library's own knowledge is asked of mutexes that nobody else sees: what is written into them as the type,
 * where the thread's number is, and where the link, which is the first of the list of get_robust_list(2) after locking. The word
 * before a link points back, in glibc and musl.
 *
 * The C library never waits: it ends the process when the page goes just before it sleeps. What sleeps here goes by the
 * kernel's rules for robust mutexes; for others there is none, and it looks every millisecond.
 */
#include "mutexes.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "doorbell.h"
#include "environment.h"
#include "exports.h"
#include "kept-bytes.h"
#include "mapping.h"
#include "placed.h"

_Static_assert(sizeof(pthread_mutex_t) <= MOST_KEPT_BYTES, "a larger mutex");

#define LONGEST_PARK_MS 50.0
#define NAP_MS 1.0

/* Kernel interface, from <linux/futex.h>, which musl's development package lacks. */
#define WORD_OWNER_DIED 0x40000000u
#define WORD_OWNER 0x3fffffffu
#define WORD_WAITERS 0x80000000u
struct robust_list {
  struct robust_list *next;
};
struct robust_list_head {
  struct robust_list list;
  long futex_offset;
  struct robust_list *pending;
};

/* While its owner is an heir who has not made it consistent, musl's keep the mark of the death. */
#ifdef __GLIBC__
#define WORD_OF_OWNER (WORD_OWNER | WORD_OWNER_DIED)
#else
#define WORD_OF_OWNER WORD_OWNER
#endif

/* The answer of a lock that was left by somebody who died. */
enum { LOCKED = 0, LOCKED_OWNER_DEAD = 1 };

struct held {
  struct held *older;
  pthread_mutex_t *mutex;
  struct mapping *mapping;
  const struct environment *environment;
  /* Its link in the list of robust mutexes; NULL when it is not in it. */
  struct robust_list *link;
  int kind;
  unsigned depth;
};

static _Thread_local struct held *newest;
static _Thread_local struct robust_list_head *robust;

/* Kinds that pthread_mutex_init writes for mutexes of several processes. With any other the C library may end the process. */
enum { NORMAL, RECURSIVE, ERRORCHECK };
static const int TYPES[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK};
static int sound_kinds[COUNT_OF(TYPES)];
static int sound_robust_kinds[COUNT_OF(TYPES)];
/* Bytes from the beginning of a mutex, or -1: to the link and the word of a robust one, to the owner of another. */
static ptrdiff_t link_offset = -1;
static ptrdiff_t word_offset = -1;
static ptrdiff_t owner_offset = -1;
static pthread_once_t prepared = PTHREAD_ONCE_INIT;

static int kind_of(const pthread_mutex_t *mutex) {
#ifdef __GLIBC__
  return *(const volatile int *)&mutex->__data.__kind;
#else
  return *(const volatile int *)(const volatile void *)mutex;
#endif
}

static int initialise(pthread_mutex_t *mutex, int type, int robustness) {
  pthread_mutexattr_t attributes;
  int failure = pthread_mutexattr_init(&attributes);
  if (failure != 0) return -failure;
  failure = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  if (failure == 0) failure = pthread_mutexattr_settype(&attributes, type);
  if (failure == 0) failure = pthread_mutexattr_setrobust(&attributes, robustness);
  if (failure == 0) failure = pthread_mutex_init(mutex, &attributes);
  pthread_mutexattr_destroy(&attributes);
  return -failure;
}

/* musl's is there once the thread has locked one. Emulators have none. */
static bool find_list(void) {
  if (robust == NULL) syscall(SYS_get_robust_list, 0, &robust, &(size_t){0});
  return robust != NULL;
}

static struct robust_list *first_link(void) {
  /* The lowest bit marks those of another protocol. */
  return (struct robust_list *)((uintptr_t)robust->list.next & ~(uintptr_t)1);
}

static void learn_offsets(void) {
  pthread_mutex_t mutex;
  if (initialise(&mutex, PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST) == 0 && pthread_mutex_lock(&mutex) == 0) {
    ptrdiff_t offset = find_list() ? (uint8_t *)first_link() - (uint8_t *)&mutex : -1;
    if (offset > 0 && offset < (ptrdiff_t)sizeof mutex) {
      link_offset = offset;
      word_offset = offset + robust->futex_offset;
    }
    pthread_mutex_unlock(&mutex);
  }
  if (initialise(&mutex, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_STALLED) == 0 && pthread_mutex_lock(&mutex) == 0) {
    const uint32_t own = (uint32_t)syscall(SYS_gettid);
    for (size_t at = 0; at < sizeof mutex && owner_offset < 0; at += sizeof own) {
      if (memcmp((uint8_t *)&mutex + at, &own, sizeof own) == 0) owner_offset = (ptrdiff_t)at;
    }
    pthread_mutex_unlock(&mutex);
  }
}

static void prepare_once(void) {
  for (size_t i = 0; i < COUNT_OF(TYPES); i++) {
    pthread_mutex_t mutex;
    sound_kinds[i] = initialise(&mutex, TYPES[i], PTHREAD_MUTEX_STALLED) == 0 ? kind_of(&mutex) : -1;
    sound_robust_kinds[i] = initialise(&mutex, TYPES[i], PTHREAD_MUTEX_ROBUST) == 0 ? kind_of(&mutex) : -1;
  }
  learn_offsets();
}

static bool is_one_of(const int kinds[COUNT_OF(TYPES)], int kind) {
  for (size_t i = 0; i < COUNT_OF(TYPES); i++) {
    if (kinds[i] == kind && kind != -1) return true;
  }
  return false;
}

/* 0 or -errno. Reading it is also what finds out that the page is gone. */
static int check_contents(const struct placed *mutex) {
  int kind = kind_of(mutex->object);
  if (mapping_is_lost(mutex->mapping)) return -EIO;
  if (is_one_of(sound_robust_kinds, kind)) return link_offset < 0 ? -ENOTSUP : 0;
  return is_one_of(sound_kinds, kind) ? 0 : -EINVAL;
}

static bool is_never_listed(int kind) {
#ifdef __GLIBC__
  return !is_one_of(sound_robust_kinds, kind);
#else
  return kind == sound_kinds[NORMAL];
#endif
}

/* The mutexes of this thread. */

static struct held *find_held(const void *begin, size_t length) {
  for (struct held *held = newest; held != NULL; held = held->older) {
    const uint8_t *at = (const uint8_t *)held->mutex;
    if (at + sizeof *held->mutex > (const uint8_t *)begin && at < (const uint8_t *)begin + length) return held;
  }
  return NULL;
}

static struct held *held_of(const struct placed *mutex) {
  struct held *held = newest;
  while (held != NULL && held->mutex != mutex->object) held = held->older;
  return held;
}

/* A library of this process has a robust mutex locked on this thread, after all of ours: what points to ours is its. */
static bool is_mixed(void) {
  if (!find_list()) return false;
  const struct held *held = newest;
  while (held != NULL && held->link == NULL) held = held->older;
  return first_link() != (held == NULL ? &robust->list : held->link);
}

static void restore_links(void) {
  if (robust == NULL) return;
  struct robust_list *previous = &robust->list;
  for (struct held *held = newest; held != NULL; held = held->older) {
    if (held->link == NULL) continue;
    previous->next = held->link;
    ((struct robust_list **)held->link)[-1] = previous;
    previous = held->link;
  }
  previous->next = &robust->list;
}

static void forget(struct held *forgotten) {
  for (struct held **link = &newest; *link != NULL; link = &(*link)->older) {
    if (*link != forgotten) continue;
    *link = forgotten->older;
    break;
  }
  atomic_fetch_sub(&forgotten->mapping->locked, 1);
  mapping_release(forgotten->mapping);
  free(forgotten);
}

static atomic_uint_least32_t *word_at(pthread_mutex_t *mutex, ptrdiff_t offset) {
  return (atomic_uint_least32_t *)(void *)((uint8_t *)mutex + offset);
}

/* Whether the contents still say what this thread knows. */
static bool is_owner(const struct held *held) {
  if (held->kind != kind_of(held->mutex)) return false;
  if (held->link == NULL) return true;
  return (atomic_load(word_at(held->mutex, word_offset)) & WORD_OF_OWNER) == (uint32_t)syscall(SYS_gettid);
}

/* Before each call of the C library's that may follow links: 0 or -errno. */
static int put_in_order(int kind) {
  if (is_mixed()) return is_never_listed(kind) ? 0 : -ENOTSUP;
  for (struct held *held = newest; held != NULL;) {
    struct held *older = held->older;
    if (mapping_is_lost(held->mapping)) forget(held);
    held = older;
  }
  restore_links();
  return 0;
}

static void leave_as_dead(atomic_uint_least32_t *word) {
  uint32_t before = atomic_load(word);
  while (!atomic_compare_exchange_weak(word, &before, (before & ~WORD_OWNER) | WORD_OWNER_DIED)) continue;
  futex_wake(word, SLEEPER_ANY);
}

void mutexes_abandon(const struct environment *environment) {
  /* Ours cannot be taken out then: their memory stays, and the kernel finds them when the thread ends. */
  if (is_mixed()) return;
  for (struct held *held = newest; held != NULL;) {
    struct held *older = held->older;
    if (held->environment == environment) {
      if (held->link != NULL && is_owner(held)) leave_as_dead(word_at(held->mutex, word_offset));
      forget(held);
    }
    held = older;
  }
  restore_links();
}

/* Locking. */

/* What is known of a lock that succeeded, in `held`, which it takes over. */
static int64_t keep(struct held *held) {
  struct robust_list *first = find_list() ? first_link() : NULL;
  if (first != NULL && (uint8_t *)first == (uint8_t *)held->mutex + link_offset) held->link = first;
  bool is_lost = mapping_is_lost(held->mapping);
  if (!is_lost && (held->link != NULL || !is_one_of(sound_robust_kinds, held->kind))) {
    mapping_hold(held->mapping);
    atomic_fetch_add(&held->mapping->locked, 1);
    held->older = newest;
    newest = held;
    return 0;
  }
  bool is_linked = held->link != NULL;
  free(held);
  if (is_linked) restore_links();
  return is_lost ? -EIO : -EINVAL;
}

/*
 * Whether it bears this thread's number, which has not locked it: that of another PID namespace, or of somebody long gone. The C
 * library would take it for locked by this thread.
 */
static bool bears_our_number(pthread_mutex_t *mutex, bool is_robust) {
  ptrdiff_t offset = is_robust ? word_offset : owner_offset;
  if (offset < 0) return false;
  return (atomic_load(word_at(mutex, offset)) & WORD_OF_OWNER) == (uint32_t)syscall(SYS_gettid);
}

/* A call of the C library's: 0 or errno. It follows the links in the mutex, and asserts its kind and owner, whoever cuts the page off. */
static int call_library(int (*function)(pthread_mutex_t *), pthread_mutex_t *mutex, struct mapping *mapping) {
  struct kept_bytes *kept = kept_bytes_begin(mutex, sizeof *mutex);
  if (kept == NULL) return ENOMEM;
  int failure = mapping_is_lost(mapping) ? EIO : function(mutex);
  kept_bytes_end(kept);
  return failure;
}

static int try_lock(pthread_mutex_t *mutex, struct mapping *mapping, bool is_robust) {
  if (bears_our_number(mutex, is_robust)) return EBUSY;
  int failure = call_library(pthread_mutex_trylock, mutex, mapping);
  if (failure == ENOTRECOVERABLE && bears_our_number(mutex, is_robust)) {
    /* glibc leaves it locked: nobody else would be told. */
    atomic_uint_least32_t *word = word_at(mutex, word_offset);
    atomic_store(word, 0);
    futex_wake(word, SLEEPER_ANY);
  }
  return failure;
}

/* Sleeps while somebody has it, for so long at most. */
static void sleep_on(const struct placed *mutex, bool is_robust, double milliseconds) {
  struct timespec time = {.tv_nsec = (long)(fmin(milliseconds, is_robust ? LONGEST_PARK_MS : NAP_MS) * 1e6)};
  if (!is_robust) {
    nanosleep(&time, NULL);
    return;
  }
  atomic_uint_least32_t *word = word_at(mutex->object, word_offset);
  uint32_t value = atomic_load(word);
  if ((value & WORD_OWNER) == 0 || (value & WORD_OWNER_DIED) != 0) return;
  uint32_t marked = value | WORD_WAITERS;
  if (value != marked && !atomic_compare_exchange_strong(word, &value, marked)) return;
  if (futex_wait(word, marked, SLEEPER_ANY, &time) == -EFAULT) mapping_lose(mutex->mapping);
}

enum { TRY = -1 };

/* By a thread that has it already: only a recursive one lets it in. */
static int64_t lock_again(struct held *held, double milliseconds) {
  if (!is_owner(held)) return -EINVAL;
  bool is_recursive = held->kind == sound_kinds[RECURSIVE] || held->kind == sound_robust_kinds[RECURSIVE];
  bool is_checked = held->kind == sound_kinds[ERRORCHECK] || held->kind == sound_robust_kinds[ERRORCHECK];
  if (is_recursive) {
    int failure = call_library(pthread_mutex_trylock, held->mutex, held->mapping);
    if (failure == 0) held->depth++;
    return -failure;
  }
  if (milliseconds == TRY) return -EBUSY;
  /* A thread that sleeps does not unlock it; another of its tasks may. */
  return is_checked || milliseconds > 0 ? -EDEADLK : -ETIMEDOUT;
}

static int64_t lock(const struct call *call, const struct placed *mutex, double milliseconds) {
  int kind = kind_of(mutex->object);
  bool is_robust = is_one_of(sound_robust_kinds, kind);
  int failure = put_in_order(kind);
  if (failure != 0) return failure;
  struct held *again = held_of(mutex);
  if (again != NULL) return lock_again(again, milliseconds);
  struct held *held = malloc(sizeof *held);
  if (held == NULL) return -ENOMEM;
  *held = (struct held){.mutex = mutex->object, .mapping = mutex->mapping, .environment = call->environment, .kind = kind, .depth = 1};
  failure = try_lock(held->mutex, held->mapping, is_robust);
  bool has_slept = failure == EBUSY && milliseconds > 0;
  if (has_slept) {
    sleep_on(mutex, is_robust, milliseconds);
    failure = try_lock(held->mutex, held->mapping, is_robust);
  }
  if (failure != 0 && failure != EOWNERDEAD) {
    free(held);
    return failure == EBUSY && milliseconds != TRY ? -ETIMEDOUT : -failure;
  }
  int64_t answer = keep(held);
  if (answer != 0) return answer;
  /* Others may sleep beside, and whoever unlocks it wakes one only when told that there are any. */
  if (has_slept && is_robust) atomic_fetch_or(word_at(mutex->object, word_offset), WORD_WAITERS);
  return failure == EOWNERDEAD ? LOCKED_OWNER_DEAD : LOCKED;
}

struct placed *call_mutex(struct call *call, size_t index) {
  struct placed *mutex = call_placed(call, index, "mutex", PLACED_MUTEX);
  if (call->stopped) return NULL;
  /* Its pages may have become this process's own since it was found. */
  int failure = mutex->mapping->writable ? check_contents(mutex) : -EROFS;
  if (failure != 0) call_refuse(call, failure);
  return call->stopped ? NULL : mutex;
}

int64_t posix_mutex_trylock(struct call *call) {
  struct placed *mutex = call_mutex(call, 0);
  return call->stopped ? 0 : lock(call, mutex, TRY);
}

int64_t posix_mutex_lock(struct call *call) {
  struct placed *mutex = call_mutex(call, 0);
  double milliseconds = call_number(call, 1, "timeoutMs", 0);
  return call->stopped ? 0 : lock(call, mutex, milliseconds);
}

int64_t mutex_unlock(struct placed *mutex) {
  int failure = check_contents(mutex);
  struct held *held = held_of(mutex);
  if (held == NULL) return failure != 0 ? failure : -EPERM;
  failure = put_in_order(held->kind);
  if (failure != 0) return failure;
  held = held_of(mutex);
  if (held == NULL) return -EIO;
  bool is_linked = held->link != NULL;
  failure = is_owner(held) ? call_library(pthread_mutex_unlock, held->mutex, held->mapping) : EPERM;
  /* Of one in the list the contents say whether it still is this thread's. */
  bool is_kept = is_linked ? is_owner(held) : failure == 0 && held->depth > 1;
  if (!is_kept) forget(held);
  else if (held->depth > 1) held->depth--;
  if (is_linked) restore_links();
  return -failure;
}

/* Of one that was overwritten this thread lets go. */
int64_t posix_mutex_unlock(struct call *call) {
  struct placed *mutex = call_placed(call, 0, "mutex", PLACED_MUTEX);
  return call->stopped ? 0 : mutex_unlock(mutex);
}

int64_t posix_mutex_consistent(struct call *call) {
  struct placed *mutex = call_mutex(call, 0);
  if (call->stopped) return 0;
  return held_of(mutex) == NULL ? -EPERM : -call_library(pthread_mutex_consistent, mutex->object, mutex->mapping);
}

int64_t posix_mutex_depth(struct call *call) {
  struct placed *mutex = call_mutex(call, 0);
  const struct held *held = call->stopped ? NULL : held_of(mutex);
  return held == NULL ? 0 : held->depth;
}

/* Their beginning and end. */

static pthread_mutex_t *call_mutex_place(struct call *call, struct mapping **mapping) {
  pthread_once(&prepared, prepare_once);
  pthread_mutex_t *mutex = call_place(call, sizeof *mutex, _Alignof(pthread_mutex_t), mapping);
  /* Private pages keep nobody out. */
  if (!call->stopped && !(*mapping)->writable) call_refuse(call, -EROFS);
  return mutex;
}

int64_t posix_mutex_init(struct call *call) {
  struct mapping *mapping;
  pthread_mutex_t *mutex = call_mutex_place(call, &mapping);
  int64_t type = call_integer_or(call, 2, "type", 0, INT32_MAX, EINVAL);
  int64_t robustness = call_integer_or(call, 3, "robust", 0, INT32_MAX, EINVAL);
  if (call->stopped) return 0;
  if (find_held(mutex, sizeof *mutex) != NULL) return -EBUSY;
  if (robustness == PTHREAD_MUTEX_ROBUST && link_offset < 0) return -ENOTSUP;
  int failure = initialise(mutex, (int)type, (int)robustness);
  if (failure != 0) return failure;
  mapping_hold(mapping);
  return placed_offer(call, PLACED_MUTEX, mutex, mapping);
}

/* One that somebody has initialised. */
int64_t posix_mutex_at(struct call *call) {
  struct mapping *mapping;
  pthread_mutex_t *mutex = call_mutex_place(call, &mapping);
  if (call->stopped) return 0;
  mapping_hold(mapping);
  return placed_offer(call, PLACED_MUTEX, mutex, mapping);
}

int64_t posix_mutex_destroy(struct call *call) {
  struct placed *mutex = call_mutex(call, 0);
  if (call->stopped) return 0;
  if (held_of(mutex) != NULL) return -EBUSY;
  int failure = call_library(pthread_mutex_destroy, mutex->object, mutex->mapping);
  if (failure == 0) placed_close(call->environment, mutex);
  return -failure;
}
