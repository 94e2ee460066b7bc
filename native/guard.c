#include "guard.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mapping.h"

/*
 * The handler reads this table while others change it, without a lock. An entry is written under an odd sequence number,
 * by one thread at a time. The handler skips an entry that is odd or changes while being read, and rightly so: it is
 * being added (nobody has the range yet) or removed (the range is private memory already), so the fault is not its.
 * Chunks are never freed.
 */
struct guard_entry {
  atomic_uint_least32_t sequence;
  atomic_uintptr_t begin;
  atomic_uintptr_t end;
  _Atomic(struct mapping *) mapping;
};

#define CHUNK_ENTRIES 64

struct chunk {
  struct guard_entry entries[CHUNK_ENTRIES];
  _Atomic(struct chunk *) next;
};

static struct chunk first_chunk;
static pthread_mutex_t writers = PTHREAD_MUTEX_INITIALIZER;

/* What handled a signal before. */
struct chain {
  bool installed;
  struct sigaction previous;
};

static struct chain bus_errors;
static struct chain violations;

static void write_entry(struct guard_entry *entry, struct mapping *mapping) {
  uintptr_t begin = mapping == NULL ? 0 : (uintptr_t)mapping->base;
  uintptr_t end = mapping == NULL ? 0 : begin + mapping->length;
  atomic_fetch_add(&entry->sequence, 1);
  atomic_store(&entry->begin, begin);
  atomic_store(&entry->end, end);
  atomic_store(&entry->mapping, mapping);
  atomic_fetch_add(&entry->sequence, 1);
}

static struct mapping *read_entry(struct guard_entry *entry, uintptr_t address) {
  uint32_t sequence = atomic_load(&entry->sequence);
  if (sequence % 2 != 0) return NULL;
  bool inside = address >= atomic_load(&entry->begin) && address < atomic_load(&entry->end);
  struct mapping *mapping = atomic_load(&entry->mapping);
  return inside && atomic_load(&entry->sequence) == sequence ? mapping : NULL;
}

/* The mapping around `address`. It cannot go away: the thread that faulted holds a view of it, or its native thread is it. */
static struct mapping *find_mapping(uintptr_t address) {
  for (struct chunk *chunk = &first_chunk; chunk != NULL; chunk = atomic_load(&chunk->next)) {
    for (size_t i = 0; i < CHUNK_ENTRIES; i++) {
      struct mapping *mapping = read_entry(&chunk->entries[i], address);
      if (mapping != NULL) return mapping;
    }
  }
  return NULL;
}

/* Dies of this signal as if nobody had handled it. */
static void die_by_default(int signal, const siginfo_t *info) {
  struct sigaction standard = {.sa_handler = SIG_DFL};
  sigaction(signal, &standard, NULL);
  /* A fault happens again on return. One that somebody sent does not: send it once more, pending until the return. */
  if (info->si_code <= 0) syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), signal);
}

static void pass_on(const struct sigaction *previous, int signal, siginfo_t *info, void *context) {
  if ((previous->sa_flags & SA_SIGINFO) != 0) {
    previous->sa_sigaction(signal, info, context);
  } else if (previous->sa_handler == SIG_DFL) {
    die_by_default(signal, info);
  } else if (previous->sa_handler == SIG_IGN) {
    /* The kernel lets nobody ignore a fault. */
    if (info->si_code > 0) die_by_default(signal, info);
  } else {
    previous->sa_handler(signal);
  }
}

static void on_bus_error(int signal, siginfo_t *info, void *context) {
  int saved_errno = errno;
  /* Sent by somebody (si_code <= 0) or news of a failing page that nobody touched (AO): no access of ours failed. */
  bool is_fault = info->si_code > 0 && info->si_code != BUS_MCEERR_AO;
  struct mapping *mapping = is_fault ? find_mapping((uintptr_t)info->si_addr) : NULL;
  if (mapping == NULL || !mapping_lose(mapping)) pass_on(&bus_errors.previous, signal, info, context);
  errno = saved_errno;
}

static void on_violation(int signal, siginfo_t *info, void *context) {
  int saved_errno = errno;
  struct mapping *mapping = info->si_code == SEGV_ACCERR ? find_mapping((uintptr_t)info->si_addr) : NULL;
  if (mapping == NULL || !mapping->faults_on_write || !mapping_copy(mapping)) {
    pass_on(&violations.previous, signal, info, context);
  }
  errno = saved_errno;
}

static int install(struct chain *chain, int signal, void (*handler)(int, siginfo_t *, void *)) {
  if (chain->installed) return 0;
  /* Read first: the handler may run before the second call has answered. */
  if (sigaction(signal, NULL, &chain->previous) != 0) return -errno;
  /* No SA_NODEFER: a fault inside the handler, or inside the one it passes on to, must end the process and not recurse. */
  struct sigaction ours = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigemptyset(&ours.sa_mask);
  if (sigaction(signal, &ours, NULL) != 0) return -errno;
  chain->installed = true;
  return 0;
}

static struct guard_entry *free_entry(void) {
  for (struct chunk *chunk = &first_chunk;;) {
    for (size_t i = 0; i < CHUNK_ENTRIES; i++) {
      if (atomic_load(&chunk->entries[i].mapping) == NULL) return &chunk->entries[i];
    }
    struct chunk *next = atomic_load(&chunk->next);
    if (next == NULL) {
      next = calloc(1, sizeof *next);
      if (next == NULL) return NULL;
      atomic_store(&chunk->next, next);
    }
    chunk = next;
  }
}

int guard_against_writes(struct mapping *mapping) {
  pthread_mutex_lock(&writers);
  int failure = install(&violations, SIGSEGV, on_violation);
  pthread_mutex_unlock(&writers);
  if (failure == 0) mapping->faults_on_write = true;
  return failure;
}

int guard_add(struct mapping *mapping) {
  pthread_mutex_lock(&writers);
  int failure = install(&bus_errors, SIGBUS, on_bus_error);
  if (failure == 0) {
    mapping->guard = free_entry();
    if (mapping->guard == NULL) {
      failure = -ENOMEM;
    } else {
      write_entry(mapping->guard, mapping);
    }
  }
  pthread_mutex_unlock(&writers);
  return failure;
}

void guard_remove(struct mapping *mapping) {
  pthread_mutex_lock(&writers);
  write_entry(mapping->guard, NULL);
  mapping->guard = NULL;
  pthread_mutex_unlock(&writers);
}
