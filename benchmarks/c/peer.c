#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Attempts before a wait sleeps, and the longest sleep. */
#define SPINS 1500
#define PARK_NS 50000000

static uint32_t load(const uint32_t *word) { return __atomic_load_n(word, __ATOMIC_SEQ_CST); }
static void store(uint32_t *word, uint32_t value) { __atomic_store_n(word, value, __ATOMIC_SEQ_CST); }
static void store_release(uint32_t *word, uint32_t value) { __atomic_store_n(word, value, __ATOMIC_RELEASE); }

static void pause_ms(long ms) {
  struct timespec time = {0, ms * 1000000};
  nanosleep(&time, NULL);
}

/* The file's locks: the attach byte, and the liveness byte of a slot after it. */

static int lock_byte(int descriptor, short type, int64_t byte) {
  struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
  return fcntl(descriptor, F_OFD_SETLK, &lock);
}

static void take_attach_byte(struct peer *peer) {
  while (lock_byte(peer->descriptor, F_WRLCK, SHMKIT_LOCK_BASE) != 0) {
    if (errno != EAGAIN && errno != EACCES) fail("the attach byte: %s", strerror(errno));
    pause_ms(2);
  }
}

static void release_attach_byte(struct peer *peer) {
  if (lock_byte(peer->descriptor, F_UNLCK, SHMKIT_LOCK_BASE) != 0) fail("the attach byte: %s", strerror(errno));
}

/* Joining and leaving: section 4. */

static double own_start_time(void) {
  char line[1024];
  FILE *file = fopen("/proc/self/stat", "r");
  if (file == NULL || fgets(line, sizeof line, file) == NULL) fail("/proc/self/stat: %s", strerror(errno));
  fclose(file);
  /* The name may contain anything; the 22nd field is the 20th after its closing bracket. */
  char *at = strrchr(line, ')');
  for (int i = 0; i < 20 && at != NULL; i++) at = strchr(at + 1, ' ');
  return at == NULL ? 0 : strtod(at, NULL);
}

static void fill_slot(struct peer *peer, const char *label) {
  struct shmkit_member_slot *own = peer->own;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  own->generation++;
  own->pid = (uint32_t)getpid();
  own->thread_id = (uint32_t)syscall(SYS_gettid);
  own->start_time = own_start_time();
  own->joined_at = (double)now.tv_sec * 1e3 + (double)(now.tv_nsec / 1000000);
  own->label_bytes = (uint32_t)strlen(label);
  memcpy(own->label, label, own->label_bytes);
  own->effect = 0;
  own->operation = 0;
  own->ledger_page = 0;
  own->reaping = 0;
  store(&own->armed, 0);
  __atomic_fetch_add(&peer->header->attachments, 1, __ATOMIC_SEQ_CST);
  store(&own->state, SHMKIT_SLOT_STATE_ACTIVE);
}

static void take_slot(struct peer *peer, const char *label) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", peer->descriptor);
  for (uint32_t slot = 0; slot < peer->header->max_members; slot++) {
    if (load(&peer->slots[slot].state) != SHMKIT_SLOT_STATE_FREE) continue;
    /* A description of one's own: it is what holds the lock. */
    int liveness = open(path, O_RDWR | O_CLOEXEC);
    if (liveness < 0) fail("%s: %s", path, strerror(errno));
    if (lock_byte(liveness, F_WRLCK, SHMKIT_LOCK_BASE + 1 + slot) == 0 &&
        load(&peer->slots[slot].state) == SHMKIT_SLOT_STATE_FREE) {
      peer->liveness = liveness;
      peer->slot = slot;
      peer->own = &peer->slots[slot];
      if (load(&peer->header->slots_used) <= slot) store(&peer->header->slots_used, slot + 1);
      fill_slot(peer, label);
      return;
    }
    close(liveness);
  }
  fail("every slot is taken");
}

void peer_join(struct peer *peer, const char *region, const char *label) {
  char path[256];
  struct stat facts, named;
  snprintf(path, sizeof path, "%s/%s%s", SHMKIT_DIRECTORY, SHMKIT_PREFIX, region);
  peer->descriptor = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
  if (peer->descriptor < 0 || fstat(peer->descriptor, &facts) != 0) fail("%s: %s", path, strerror(errno));
  if ((size_t)facts.st_size < SHMKIT_PAGE_BYTES) fail("%s is no region", path);
  take_attach_byte(peer);
  struct shmkit_region_header *header = mmap(NULL, SHMKIT_PAGE_BYTES, PROT_READ, MAP_SHARED, peer->descriptor, 0);
  if (header == MAP_FAILED) fail("%s: %s", path, strerror(errno));
  if (header->magic0 != SHMKIT_MAGIC_0 || header->magic1 != SHMKIT_MAGIC_1 ||
      header->layout_version != SHMKIT_LAYOUT_VERSION || header->byte_order != SHMKIT_BYTE_ORDER_MARK)
    fail("%s is no region of this layout", path);
  peer->length = (size_t)header->max_pages * SHMKIT_PAGE_BYTES;
  munmap(header, SHMKIT_PAGE_BYTES);
  peer->bytes = mmap(NULL, peer->length, PROT_READ | PROT_WRITE, MAP_SHARED, peer->descriptor, 0);
  if (peer->bytes == MAP_FAILED) fail("%s: %s", path, strerror(errno));
  peer->header = (struct shmkit_region_header *)peer->bytes;
  if (load(&peer->header->state) != SHMKIT_REGION_STATE_OPEN || stat(path, &named) != 0 || named.st_ino != facts.st_ino)
    fail("%s is going", path);
  peer->slots = (struct shmkit_member_slot *)(peer->bytes + (size_t)peer->header->member_table_page * SHMKIT_PAGE_BYTES);
  peer->set_words = (peer->header->max_members + 31) / 32;
  peer->spins = SPINS;
  take_slot(peer, label);
  release_attach_byte(peer);
}

/* Leaves what it holds nothing of: handles are detached and locks free. Never the last: somebody else made the region. */
void peer_leave(struct peer *peer) {
  take_attach_byte(peer);
  store(&peer->own->state, SHMKIT_SLOT_STATE_FREE);
  close(peer->liveness);
  release_attach_byte(peer);
  munmap(peer->bytes, peer->length);
  close(peer->descriptor);
}

/* Member sets and doorbells: section 5. */

static void enter_set(struct peer *peer, uint32_t *set) {
  __atomic_fetch_or(&set[peer->slot >> 5], UINT32_C(1) << (peer->slot & 31), __ATOMIC_SEQ_CST);
}

static void leave_set(struct peer *peer, uint32_t *set) {
  __atomic_fetch_and(&set[peer->slot >> 5], ~(UINT32_C(1) << (peer->slot & 31)), __ATOMIC_SEQ_CST);
}

/* Not again since it armed: it is waking up, and will look at the object after arming anew. */
static int ring(struct peer *peer, uint32_t slot) {
  struct shmkit_member_slot *member = &peer->slots[slot];
  uint32_t armed = load(&member->armed);
  if ((armed & SHMKIT_ARMED_MASK) == 0) return 0;
  if (peer->rung_armed[slot] == armed && peer->rung_bell[slot] == load(&member->bell)) return 0;
  uint32_t bell = __atomic_add_fetch(&member->bell, 1, __ATOMIC_SEQ_CST);
  syscall(SYS_futex, &member->bell, FUTEX_WAKE_BITSET, INT_MAX, NULL, NULL, armed & SHMKIT_ARMED_MASK);
  peer->rung_armed[slot] = armed;
  peer->rung_bell[slot] = bell;
  return 1;
}

/* Rings one armed member of a set, or all of them. After a sequentially consistent change. */
static void ring_set(struct peer *peer, const uint32_t *set, int all) {
  for (uint32_t i = 0; i < peer->set_words; i++)
    for (uint32_t bits = load(&set[i]); bits != 0; bits &= bits - 1)
      if (ring(peer, i * 32 + (uint32_t)__builtin_ctz(bits)) && !all) return;
}

/* The operation record: section 6. */

static void record(struct peer *peer, uint32_t code, uint32_t phase, uint32_t counter, uint32_t entry) {
  store_release(&peer->own->operation, SHMKIT_OPERATION_PACK(entry, counter, phase, code));
}

static int try_lock(struct peer *peer, struct shmkit_lock *lock) {
  uint32_t nobody = 0;
  return __atomic_compare_exchange_n(&lock->owner, &nobody, peer->slot + 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static void unlock(struct peer *peer, struct shmkit_lock *lock) {
  store(&lock->owner, 0);
  ring_set(peer, lock->waiters, 0);
}

/*
 * Attempts until one succeeds. An attempt answers NULL then, or the member set in which to wait. Whoever leaves a set
 * rings the next one: the ring it got may have been the only one.
 */
typedef uint32_t *(*attempt)(struct peer *peer, void *work);

static void wait_for(struct peer *peer, attempt attempt, void *work) {
  for (int i = 0; i < peer->spins; i++) {
    if (attempt(peer, work) == NULL) return;
    relax();
  }
  uint32_t *set = NULL;
  for (;;) {
    uint32_t sample = load(&peer->own->bell);
    __atomic_fetch_or(&peer->own->armed, SHMKIT_ARMED_SYNC, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&peer->own->armed, SHMKIT_ARMED_ONCE, __ATOMIC_SEQ_CST);
    uint32_t *wanted = attempt(peer, work);
    if (wanted == set && wanted != NULL) {
      struct timespec until;
      clock_gettime(CLOCK_MONOTONIC, &until);
      until.tv_nsec += PARK_NS;
      if (until.tv_nsec >= 1000000000) until = (struct timespec){until.tv_sec + 1, until.tv_nsec - 1000000000};
      syscall(SYS_futex, &peer->own->bell, FUTEX_WAIT_BITSET, sample, &until, NULL, SHMKIT_ARMED_SYNC);
      continue;
    }
    if (set != NULL) {
      leave_set(peer, set);
      ring_set(peer, set, 0);
    }
    set = wanted;
    if (set == NULL) break;
    enter_set(peer, set);
  }
  __atomic_fetch_and(&peer->own->armed, ~(uint32_t)SHMKIT_ARMED_SYNC, __ATOMIC_SEQ_CST);
}

/* The directory: section 9. */

struct opening {
  uint32_t kind;
  const char *name;
  struct peer_object found;
};

static struct peer_object find(struct peer *peer, uint32_t kind, const char *name) {
  uint32_t index = 0;
  for (uint32_t k = 0; k < SHMKIT_DIRECTORY_SEGMENTS; k++) {
    uint32_t page = load(&peer->header->directory_segments[k]);
    if (page == 0) break;
    struct shmkit_directory_entry *entry = (void *)(peer->bytes + (size_t)page * SHMKIT_PAGE_BYTES);
    for (uint32_t i = 0; i < (uint32_t)SHMKIT_FIRST_SEGMENT_ENTRIES << k; i++, entry++, index++)
      if (load(&entry->state) == SHMKIT_ENTRY_STATE_LIVE && entry->kind == kind && entry->name_bytes == strlen(name) &&
          memcmp(entry->name, name, entry->name_bytes) == 0)
        return (struct peer_object){entry, index, peer->bytes + (size_t)entry->page * SHMKIT_PAGE_BYTES};
  }
  return (struct peer_object){0};
}

static uint32_t *attempt_open(struct peer *peer, void *work) {
  struct opening *opening = work;
  struct shmkit_lock *lock = &peer->header->directory_lock;
  record(peer, SHMKIT_OPERATION_OBJECT_OPEN, SHMKIT_PHASE_BEGUN, 0, SHMKIT_NO_ENTRY);
  if (!try_lock(peer, lock)) {
    record(peer, SHMKIT_OPERATION_OBJECT_OPEN, SHMKIT_PHASE_NONE, 0, SHMKIT_NO_ENTRY);
    return lock->waiters;
  }
  opening->found = find(peer, opening->kind, opening->name);
  int is_there = opening->found.at != NULL;
  if (is_there) enter_set(peer, opening->found.entry->openers);
  record(peer, SHMKIT_OPERATION_OBJECT_OPEN, is_there ? SHMKIT_PHASE_COMMITTED : SHMKIT_PHASE_NONE, 0,
         is_there ? opening->found.index : SHMKIT_NO_ENTRY);
  unlock(peer, lock);
  return is_there ? NULL : peer->header->directory_waiters;
}

struct peer_object peer_open(struct peer *peer, uint32_t kind, const char *name) {
  struct opening opening = {kind, name, {0}};
  wait_for(peer, attempt_open, &opening);
  return opening.found;
}

void peer_detach(struct peer *peer, const struct peer_object *object) {
  record(peer, SHMKIT_OPERATION_OBJECT_DETACH, SHMKIT_PHASE_BEGUN, 0, object->index);
  leave_set(peer, object->entry->openers);
  record(peer, SHMKIT_OPERATION_OBJECT_DETACH, SHMKIT_PHASE_COMMITTED, 0, object->index);
}

/* Pipes: section 10. The figures of a side are in two copies; the low bit of its counter says which one counts. */

struct transfer {
  const struct peer_object *object;
  void *message;
  uint32_t length;
};

#define COPY(field, counter) ((void *)((uint8_t *)(field) + ((counter) & 1) * SHMKIT_COPY_BYTES))
#define WORD(field, counter) (*(uint32_t *)COPY(field, counter))
#define NUMBER(field, counter) (*(double *)COPY(field, counter))

static struct shmkit_record *record_at(struct shmkit_pipe *pipe, uint32_t unit) {
  return (struct shmkit_record *)((uint8_t *)pipe + pipe->ring_offset + (size_t)unit * 8);
}

static uint32_t *attempt_send(struct peer *peer, void *work) {
  const struct transfer *transfer = work;
  struct shmkit_pipe *pipe = transfer->object->at;
  const uint32_t entry = transfer->object->index, code = SHMKIT_OPERATION_PIPE_SEND;
  record(peer, code, SHMKIT_PHASE_BEGUN, 0, entry);
  if (!try_lock(peer, &pipe->tail_lock)) {
    record(peer, code, SHMKIT_PHASE_NONE, 0, entry);
    return pipe->tail_lock.waiters;
  }
  if (pipe->closed) fail("the pipe is closed");
  const uint32_t sent = pipe->sent, next = sent + 1;
  const uint32_t depth = sent - load(&pipe->received);
  if (depth >= pipe->capacity) {
    record(peer, code, SHMKIT_PHASE_NONE, 0, entry);
    unlock(peer, &pipe->tail_lock);
    return pipe->not_full;
  }
  const uint32_t units = 1 + (transfer->length + 7) / 8;
  uint32_t position = WORD(&pipe->tail_position0, sent);
  uint32_t unit = position & (pipe->ring_units - 1);
  if (unit + units > pipe->ring_units) {
    record_at(pipe, unit)->kind = SHMKIT_RECORD_KIND_WRAP;
    position += pipe->ring_units - unit;
    unit = 0;
  }
  struct shmkit_record *at = record_at(pipe, unit);
  at->length = transfer->length;
  at->kind = SHMKIT_RECORD_KIND_PACK(SHMKIT_RECORD_KIND_BYTES, 0, peer->slot);
  memcpy(at + 1, transfer->message, transfer->length);
  const uint32_t most = WORD(&pipe->high_water0, sent);
  WORD(&pipe->tail_position0, next) = position + units;
  WORD(&pipe->high_water0, next) = most > depth + 1 ? most : depth + 1;
  NUMBER(&pipe->sent_total0, next) = NUMBER(&pipe->sent_total0, sent) + 1;
  NUMBER(&pipe->sent_bytes0, next) = NUMBER(&pipe->sent_bytes0, sent) + transfer->length;
  record(peer, code, SHMKIT_PHASE_CRITICAL, sent, entry);
  store_release(&pipe->sent, next);
  record(peer, code, SHMKIT_PHASE_COMMITTED, 0, entry);
  unlock(peer, &pipe->tail_lock);
  ring_set(peer, pipe->not_empty, 0);
  return NULL;
}

static uint32_t *attempt_receive(struct peer *peer, void *work) {
  struct transfer *transfer = work;
  struct shmkit_pipe *pipe = transfer->object->at;
  const uint32_t entry = transfer->object->index, code = SHMKIT_OPERATION_PIPE_RECEIVE;
  if (load(&pipe->sent) == load(&pipe->received)) return pipe->not_empty;
  record(peer, code, SHMKIT_PHASE_BEGUN, 0, entry);
  if (!try_lock(peer, &pipe->head_lock)) {
    record(peer, code, SHMKIT_PHASE_NONE, 0, entry);
    return pipe->head_lock.waiters;
  }
  const uint32_t received = pipe->received, next = received + 1;
  if (load(&pipe->sent) == received) {
    record(peer, code, SHMKIT_PHASE_NONE, 0, entry);
    unlock(peer, &pipe->head_lock);
    return pipe->not_empty;
  }
  uint32_t position = WORD(&pipe->head_position0, received);
  uint32_t unit = position & (pipe->ring_units - 1);
  if (SHMKIT_RECORD_KIND_KIND(record_at(pipe, unit)->kind) == SHMKIT_RECORD_KIND_WRAP) {
    position += pipe->ring_units - unit;
    unit = 0;
  }
  const struct shmkit_record *at = record_at(pipe, unit);
  const uint32_t length = at->length;
  if (SHMKIT_RECORD_KIND_IN_BLOCK(at->kind) || length > transfer->length) fail("a message of %u bytes", length);
  memcpy(transfer->message, at + 1, length);
  WORD(&pipe->head_position0, next) = position + 1 + (length + 7) / 8;
  NUMBER(&pipe->received_total0, next) = NUMBER(&pipe->received_total0, received) + 1;
  NUMBER(&pipe->received_bytes0, next) = NUMBER(&pipe->received_bytes0, received) + length;
  record(peer, code, SHMKIT_PHASE_CRITICAL, received, entry);
  store_release(&pipe->received, next);
  record(peer, code, SHMKIT_PHASE_COMMITTED, 0, entry);
  unlock(peer, &pipe->head_lock);
  ring_set(peer, pipe->not_full, 0);
  if (load(&pipe->sent) == load(&pipe->received)) ring_set(peer, pipe->drained, 1);
  transfer->length = length;
  return NULL;
}

void peer_send(struct peer *peer, const struct peer_object *pipe, const void *message, uint32_t length) {
  struct transfer transfer = {pipe, (void *)message, length};
  if (length > ((struct shmkit_pipe *)pipe->at)->inline_limit) fail("%u bytes are too long for the ring", length);
  wait_for(peer, attempt_send, &transfer);
}

uint32_t peer_receive(struct peer *peer, const struct peer_object *pipe, void *message, uint32_t limit) {
  struct transfer transfer = {pipe, message, limit};
  wait_for(peer, attempt_receive, &transfer);
  return transfer.length;
}

/* Mutexes: section 12. */

static uint32_t *attempt_lock(struct peer *peer, void *work) {
  const struct peer_object *object = work;
  struct shmkit_mutex *mutex = object->at;
  record(peer, SHMKIT_OPERATION_MUTEX_LOCK, SHMKIT_PHASE_BEGUN, 0, object->index);
  if (!try_lock(peer, &mutex->lock)) {
    record(peer, SHMKIT_OPERATION_MUTEX_LOCK, SHMKIT_PHASE_NONE, 0, object->index);
    return mutex->lock.waiters;
  }
  record(peer, SHMKIT_OPERATION_MUTEX_LOCK, SHMKIT_PHASE_CRITICAL, 0, object->index);
  if (mutex->lock.abandoned) mutex->lock.abandoned = 0;
  record(peer, SHMKIT_OPERATION_MUTEX_LOCK, SHMKIT_PHASE_COMMITTED, 0, object->index);
  return NULL;
}

void peer_lock(struct peer *peer, const struct peer_object *mutex) {
  wait_for(peer, attempt_lock, (void *)mutex);
}

uint32_t peer_word(const struct peer_object *mutex, uint32_t index) {
  return ((struct shmkit_mutex *)mutex->at)->words[index];
}

void peer_set_word(const struct peer_object *object, uint32_t index, uint32_t value) {
  struct shmkit_mutex *mutex = object->at;
  uint32_t entries = mutex->journal_entries;
  for (uint32_t i = 0; i < entries; i++)
    if (mutex->journal[2 * i] == index) goto write;
  mutex->journal[2 * entries] = index;
  mutex->journal[2 * entries + 1] = mutex->words[index];
  store(&mutex->journal_entries, entries + 1);
write:
  mutex->words[index] = value;
}

void peer_unlock(struct peer *peer, const struct peer_object *object) {
  struct shmkit_mutex *mutex = object->at;
  record(peer, SHMKIT_OPERATION_MUTEX_UNLOCK, SHMKIT_PHASE_BEGUN, 0, object->index);
  record(peer, SHMKIT_OPERATION_MUTEX_UNLOCK, SHMKIT_PHASE_CRITICAL, 0, object->index);
  if (mutex->journal_entries != 0) store(&mutex->journal_entries, 0);
  record(peer, SHMKIT_OPERATION_MUTEX_UNLOCK, SHMKIT_PHASE_COMMITTED, 0, object->index);
  unlock(peer, &mutex->lock);
}
