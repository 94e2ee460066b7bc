/*
 * Layout of a shmkit region, version 1; docs/layout.md explains it.
 * Generated from src/layout by scripts/generate-layout.mjs: do not edit.
 *
 * Fields marked "publish" or "atomic" in the document are read and written with atomic operations only
 * (GCC and Clang: the __atomic builtins).
 */

#ifndef SHMKIT_LAYOUT_H
#define SHMKIT_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the layout is little-endian"
#endif

/* A region NAME is the file SHMKIT_DIRECTORY "/" SHMKIT_PREFIX NAME. */
#define SHMKIT_DIRECTORY "/dev/shm"
#define SHMKIT_PREFIX "shmkit."

#define SHMKIT_BARRIER_BYTES 2560
#define SHMKIT_PLACE_LOST UINT32_C(0x10000)
#define SHMKIT_COMPOSITE_BYTES 320
#define SHMKIT_MAX_PARTS 64
#define SHMKIT_CONDITION_BYTES 2176
#define SHMKIT_CONDITION_WAIT UINT32_C(0x10000)
#define SHMKIT_CONDITION_WAKE 1
#define SHMKIT_MAX_CONDITION_WAITS 65535
#define SHMKIT_EVENT_BYTES 2176
#define SHMKIT_FLAG_BYTES 128
#define SHMKIT_ENTRY_BYTES 256
#define SHMKIT_MAX_RUN_PAGES UINT32_C(0xfffff)
#define SHMKIT_OPTION_WORDS 8
#define SHMKIT_PAGE_MAP_BYTES 8
#define SHMKIT_LATCH_BYTES 3200
#define SHMKIT_FIRST_LOCK_REQUESTS 16
#define SHMKIT_INLINE_NAME_BYTES 192
#define SHMKIT_LOCK_MANAGER_BYTES 256
#define SHMKIT_LOCK_REQUEST_BYTES 240
#define SHMKIT_LOCK_SEGMENTS 16
#define SHMKIT_COUNTER_BYTES 192
#define SHMKIT_LOCK_BYTES 64
#define SHMKIT_MUTEX_BYTES 1024
#define SHMKIT_MUTEX_WAITER_BYTES 24
#define SHMKIT_MUTEX_WORDS 64
#define SHMKIT_DEATH_BYTES 256
#define SHMKIT_DEATH_RECORDS 64
#define SHMKIT_LABEL_BYTES 64
#define SHMKIT_NO_ENTRY UINT32_C(0xfffff)
#define SHMKIT_SLOT_BYTES 512
#define SHMKIT_MONITOR_JOURNAL 30
#define SHMKIT_ONCE_BYTES 4096
#define SHMKIT_ONCE_RESULT_BYTES 4000
#define SHMKIT_BLOCK_REFERENCE_BYTES 8
#define SHMKIT_COPY_BYTES 32
#define SHMKIT_IN_BLOCK 256
#define SHMKIT_LEASE_HEADER_BYTES 64
#define SHMKIT_PIPE_BYTES 1024
#define SHMKIT_RECORD_HEADER_BYTES 8
#define SHMKIT_RATE_LIMITER_BYTES 1536
#define SHMKIT_BYTE_ORDER_MARK UINT32_C(0x1020304)
#define SHMKIT_DIRECTORY_SEGMENTS 15
#define SHMKIT_FIRST_SEGMENT_ENTRIES 32
#define SHMKIT_LAYOUT_VERSION 1
#define SHMKIT_LOCK_BASE INT64_C(4503599627370496)
#define SHMKIT_MAGIC_0 UINT32_C(0x4b4d4853)
#define SHMKIT_MAGIC_1 UINT32_C(0xa0d5449)
#define SHMKIT_MEMBER_LIMIT 256
#define SHMKIT_PAGE_BYTES 4096
#define SHMKIT_SET_WORDS 8
#define SHMKIT_GATE_ENTERED UINT32_C(0x10000)
#define SHMKIT_RWLOCK_BYTES 1280
#define SHMKIT_RWLOCK_READER_BYTES 64
#define SHMKIT_MAX_SEGMENTS UINT32_C(0x10000)
#define SHMKIT_SEGMENT_ALIGNMENT 64
#define SHMKIT_SEGMENT_POOL_BYTES 10752
#define SHMKIT_SEMAPHORE_BYTES 3584
#define SHMKIT_SEMAPHORE_MEMBER_BYTES 24
#define SHMKIT_WAIT_TIME_BYTES 8

enum shmkit_notify {
  SHMKIT_NOTIFY_NONE = 0,
  SHMKIT_NOTIFY_ONE = 1,
  SHMKIT_NOTIFY_ALL = 2,
};

enum shmkit_entry_state {
  SHMKIT_ENTRY_STATE_FREE = 0,
  SHMKIT_ENTRY_STATE_LIVE = 1,
  SHMKIT_ENTRY_STATE_REMOVED = 2,
  SHMKIT_ENTRY_STATE_PART = 3,
};

enum shmkit_run_state {
  SHMKIT_RUN_STATE_INTERIOR = 0,
  SHMKIT_RUN_STATE_FREE = 1,
  SHMKIT_RUN_STATE_USED = 2,
  SHMKIT_RUN_STATE_KEPT = 3,
};

enum shmkit_name_encoding {
  SHMKIT_NAME_ENCODING_LATIN1 = 0,
  SHMKIT_NAME_ENCODING_UTF16 = 1,
};

enum shmkit_request_state {
  SHMKIT_REQUEST_STATE_FREE = 0,
  SHMKIT_REQUEST_STATE_WAITING = 1,
  SHMKIT_REQUEST_STATE_HELD = 2,
  SHMKIT_REQUEST_STATE_STEALING = 3,
  SHMKIT_REQUEST_STATE_STOLEN = 4,
};

enum shmkit_armed {
  SHMKIT_ARMED_EVENT_LOOP = 1,
  SHMKIT_ARMED_SYNC = 2,
  SHMKIT_ARMED_MASK = 3,
  SHMKIT_ARMED_ONCE = 4,
};

enum shmkit_effect {
  SHMKIT_EFFECT_IDLE = 0,
  SHMKIT_EFFECT_NONE = 1,
  SHMKIT_EFFECT_COMMITTED = 2,
};

enum shmkit_phase {
  SHMKIT_PHASE_NONE = 0,
  SHMKIT_PHASE_BEGUN = 1,
  SHMKIT_PHASE_CRITICAL = 2,
  SHMKIT_PHASE_COMMITTED = 3,
};

enum shmkit_slot_state {
  SHMKIT_SLOT_STATE_FREE = 0,
  SHMKIT_SLOT_STATE_ACTIVE = 1,
};

enum shmkit_lease_state {
  SHMKIT_LEASE_STATE_FREE = 0,
  SHMKIT_LEASE_STATE_HELD = 1,
  SHMKIT_LEASE_STATE_RETURNED = 2,
};

enum shmkit_record_kind {
  SHMKIT_RECORD_KIND_BYTES = 1,
  SHMKIT_RECORD_KIND_VALUE = 2,
  SHMKIT_RECORD_KIND_WRAP = 3,
};

enum shmkit_disk_state {
  SHMKIT_DISK_STATE_IN_ORDER = 0,
  SHMKIT_DISK_STATE_MARKING = 1,
  SHMKIT_DISK_STATE_IN_USE = 2,
  SHMKIT_DISK_STATE_MIXED = 3,
};

enum shmkit_lifetime {
  SHMKIT_LIFETIME_PROCESS = 1,
  SHMKIT_LIFETIME_KERNEL = 2,
  SHMKIT_LIFETIME_FILE = 3,
  SHMKIT_LIFETIME_ANONYMOUS = 4,
};

enum shmkit_region_state {
  SHMKIT_REGION_STATE_BUILDING = 0,
  SHMKIT_REGION_STATE_OPEN = 1,
  SHMKIT_REGION_STATE_CLOSED = 2,
};

enum shmkit_kind {
  SHMKIT_KIND_NONE = 0,
  SHMKIT_KIND_PIPE = 1,
  SHMKIT_KIND_COUNTER = 2,
  SHMKIT_KIND_MUTEX = 3,
  SHMKIT_KIND_SEMAPHORE = 4,
  SHMKIT_KIND_CONDITION = 5,
  SHMKIT_KIND_RWLOCK = 6,
  SHMKIT_KIND_LOCKS = 7,
  SHMKIT_KIND_EVENT = 8,
  SHMKIT_KIND_BARRIER = 9,
  SHMKIT_KIND_LATCH = 10,
  SHMKIT_KIND_ONCE = 11,
  SHMKIT_KIND_FLAG = 12,
  SHMKIT_KIND_RATE_LIMITER = 13,
  SHMKIT_KIND_SEGMENT_POOL = 14,
  SHMKIT_KIND_COMPOSITE = 15,
};
#define SHMKIT_KIND_NAMES {\
    "none",\
    "pipe",\
    "counter",\
    "mutex",\
    "semaphore",\
    "condition",\
    "rwlock",\
    "locks",\
    "event",\
    "barrier",\
    "latch",\
    "once",\
    "flag",\
    "rate-limiter",\
    "segment-pool",\
    "composite",\
}

enum shmkit_operation {
  SHMKIT_OPERATION_NONE = 0,
  SHMKIT_OPERATION_PIPE_SEND = 1,
  SHMKIT_OPERATION_PIPE_RECEIVE = 2,
  SHMKIT_OPERATION_PIPE_LEASE = 3,
  SHMKIT_OPERATION_PIPE_RECEIVE_RETURNED = 4,
  SHMKIT_OPERATION_PIPE_LEASE_RETURNED = 5,
  SHMKIT_OPERATION_PIPE_ACK = 6,
  SHMKIT_OPERATION_PIPE_NACK = 7,
  SHMKIT_OPERATION_PIPE_CLOSE = 8,
  SHMKIT_OPERATION_COUNTER_UPDATE = 9,
  SHMKIT_OPERATION_MUTEX_LOCK = 10,
  SHMKIT_OPERATION_MUTEX_UNLOCK = 11,
  SHMKIT_OPERATION_OBJECT_CREATE = 12,
  SHMKIT_OPERATION_OBJECT_OPEN = 13,
  SHMKIT_OPERATION_OBJECT_REMOVE = 14,
  SHMKIT_OPERATION_OBJECT_DETACH = 15,
  SHMKIT_OPERATION_HEAP_ALLOCATE = 16,
  SHMKIT_OPERATION_SEMAPHORE_ACQUIRE = 17,
  SHMKIT_OPERATION_SEMAPHORE_WAIT = 18,
  SHMKIT_OPERATION_SEMAPHORE_RELEASE = 19,
  SHMKIT_OPERATION_SEMAPHORE_POST = 20,
  SHMKIT_OPERATION_CONDITION_WAIT = 21,
  SHMKIT_OPERATION_CONDITION_NOTIFY = 22,
  SHMKIT_OPERATION_RWLOCK_LOCK = 23,
  SHMKIT_OPERATION_RWLOCK_UNLOCK = 24,
  SHMKIT_OPERATION_LOCKS_REQUEST = 25,
  SHMKIT_OPERATION_LOCKS_RELEASE = 26,
  SHMKIT_OPERATION_EVENT_SET = 27,
  SHMKIT_OPERATION_EVENT_WAIT = 28,
  SHMKIT_OPERATION_EVENT_RESET = 29,
  SHMKIT_OPERATION_BARRIER_ENROL = 30,
  SHMKIT_OPERATION_BARRIER_ARRIVE = 31,
  SHMKIT_OPERATION_LATCH_ENROL = 32,
  SHMKIT_OPERATION_LATCH_COUNT_DOWN = 33,
  SHMKIT_OPERATION_ONCE_BEGIN = 34,
  SHMKIT_OPERATION_ONCE_FINISH = 35,
  SHMKIT_OPERATION_FLAG_UPDATE = 36,
  SHMKIT_OPERATION_RATE_LIMITER_TAKE = 37,
  SHMKIT_OPERATION_SEGMENT_POOL_ACQUIRE = 38,
  SHMKIT_OPERATION_SEGMENT_POOL_RELEASE = 39,
  SHMKIT_OPERATION_SEGMENT_POOL_HAND_OVER = 40,
  SHMKIT_OPERATION_SEGMENT_POOL_TAKE_OVER = 41,
};
#define SHMKIT_OPERATION_NAMES {\
    "none",\
    "pipe.send",\
    "pipe.receive",\
    "pipe.lease",\
    "pipe.receive-returned",\
    "pipe.lease-returned",\
    "pipe.ack",\
    "pipe.nack",\
    "pipe.close",\
    "counter.update",\
    "mutex.lock",\
    "mutex.unlock",\
    "object.create",\
    "object.open",\
    "object.remove",\
    "object.detach",\
    "heap.allocate",\
    "semaphore.acquire",\
    "semaphore.wait",\
    "semaphore.release",\
    "semaphore.post",\
    "condition.wait",\
    "condition.notify",\
    "rwlock.lock",\
    "rwlock.unlock",\
    "locks.request",\
    "locks.release",\
    "event.set",\
    "event.wait",\
    "event.reset",\
    "barrier.enrol",\
    "barrier.arrive",\
    "latch.enrol",\
    "latch.count-down",\
    "once.begin",\
    "once.finish",\
    "flag.update",\
    "rate-limiter.take",\
    "segment-pool.acquire",\
    "segment-pool.release",\
    "segment-pool.hand-over",\
    "segment-pool.take-over",\
}

/* run of page_map_entry */
#define SHMKIT_RUN_PAGES(word) (((uint32_t)(word) >> 0) & UINT32_C(0xfffff))
#define SHMKIT_RUN_OWNER(word) (((uint32_t)(word) >> 20) & UINT32_C(0x1ff))
#define SHMKIT_RUN_PUNCHED(word) (((uint32_t)(word) >> 29) & UINT32_C(0x1))
#define SHMKIT_RUN_STATE(word) (((uint32_t)(word) >> 30) & UINT32_C(0x3))
#define SHMKIT_RUN_PACK(pages, owner, punched, state) \
  ((((uint32_t)(pages) & UINT32_C(0xfffff)) << 0) | \
   (((uint32_t)(owner) & UINT32_C(0x1ff)) << 20) | \
   (((uint32_t)(punched) & UINT32_C(0x1)) << 29) | \
   (((uint32_t)(state) & UINT32_C(0x3)) << 30))

/* operation of member_slot and death_record */
#define SHMKIT_OPERATION_ENTRY(word) (((uint32_t)(word) >> 0) & UINT32_C(0xfffff))
#define SHMKIT_OPERATION_NIBBLE(word) (((uint32_t)(word) >> 20) & UINT32_C(0xf))
#define SHMKIT_OPERATION_PHASE(word) (((uint32_t)(word) >> 24) & UINT32_C(0x3))
#define SHMKIT_OPERATION_CODE(word) (((uint32_t)(word) >> 26) & UINT32_C(0x3f))
#define SHMKIT_OPERATION_PACK(entry, nibble, phase, code) \
  ((((uint32_t)(entry) & UINT32_C(0xfffff)) << 0) | \
   (((uint32_t)(nibble) & UINT32_C(0xf)) << 20) | \
   (((uint32_t)(phase) & UINT32_C(0x3)) << 24) | \
   (((uint32_t)(code) & UINT32_C(0x3f)) << 26))

/* state of lease_slot */
#define SHMKIT_LEASE_STATE(word) (((uint32_t)(word) >> 0) & UINT32_C(0xff))
#define SHMKIT_LEASE_OWNER(word) (((uint32_t)(word) >> 8) & UINT32_C(0xffffff))
#define SHMKIT_LEASE_PACK(state, owner) \
  ((((uint32_t)(state) & UINT32_C(0xff)) << 0) | \
   (((uint32_t)(owner) & UINT32_C(0xffffff)) << 8))

/* waits of condition */
#define SHMKIT_CONDITION_WAITS_WAKES(word) (((uint32_t)(word) >> 0) & UINT32_C(0xffff))
#define SHMKIT_CONDITION_WAITS_WAITS(word) (((uint32_t)(word) >> 16) & UINT32_C(0xffff))
#define SHMKIT_CONDITION_WAITS_PACK(wakes, waits) \
  ((((uint32_t)(wakes) & UINT32_C(0xffff)) << 0) | \
   (((uint32_t)(waits) & UINT32_C(0xffff)) << 16))

/* state of lock_request */
#define SHMKIT_REQUEST_STATE(word) (((uint32_t)(word) >> 0) & UINT32_C(0x7))
#define SHMKIT_REQUEST_SHARED(word) (((uint32_t)(word) >> 3) & UINT32_C(0x1))
#define SHMKIT_REQUEST_OWNER(word) (((uint32_t)(word) >> 4) & UINT32_C(0xfffffff))
#define SHMKIT_REQUEST_PACK(state, shared, owner) \
  ((((uint32_t)(state) & UINT32_C(0x7)) << 0) | \
   (((uint32_t)(shared) & UINT32_C(0x1)) << 3) | \
   (((uint32_t)(owner) & UINT32_C(0xfffffff)) << 4))

/* owner words of segment_pool */
#define SHMKIT_SEGMENT_OWNER(word) (((uint32_t)(word) >> 0) & UINT32_C(0x1ff))
#define SHMKIT_SEGMENT_HANDED_OVER(word) (((uint32_t)(word) >> 9) & UINT32_C(0x1))
#define SHMKIT_SEGMENT_GENERATION(word) (((uint32_t)(word) >> 10) & UINT32_C(0x3fffff))
#define SHMKIT_SEGMENT_PACK(owner, handed_over, generation) \
  ((((uint32_t)(owner) & UINT32_C(0x1ff)) << 0) | \
   (((uint32_t)(handed_over) & UINT32_C(0x1)) << 9) | \
   (((uint32_t)(generation) & UINT32_C(0x3fffff)) << 10))

/* argument of member_slot, of operations on segment_pool */
#define SHMKIT_SEGMENT_ARGUMENT_SEGMENT(word) (((uint32_t)(word) >> 0) & UINT32_C(0xffff))
#define SHMKIT_SEGMENT_ARGUMENT_GENERATION(word) (((uint32_t)(word) >> 16) & UINT32_C(0xffff))
#define SHMKIT_SEGMENT_ARGUMENT_PACK(segment, generation) \
  ((((uint32_t)(segment) & UINT32_C(0xffff)) << 0) | \
   (((uint32_t)(generation) & UINT32_C(0xffff)) << 16))

/* kind of record */
#define SHMKIT_RECORD_KIND_KIND(word) (((uint32_t)(word) >> 0) & UINT32_C(0xff))
#define SHMKIT_RECORD_KIND_IN_BLOCK(word) (((uint32_t)(word) >> 8) & UINT32_C(0x1))
#define SHMKIT_RECORD_KIND_SENDER(word) (((uint32_t)(word) >> 16) & UINT32_C(0xffff))
#define SHMKIT_RECORD_KIND_PACK(kind, in_block, sender) \
  ((((uint32_t)(kind) & UINT32_C(0xff)) << 0) | \
   (((uint32_t)(in_block) & UINT32_C(0x1)) << 8) | \
   (((uint32_t)(sender) & UINT32_C(0xffff)) << 16))

struct shmkit_lock {
  uint32_t owner;
  uint32_t abandoned;
  uint32_t takeovers;
  uint8_t reserved_12[20];
  uint32_t waiters[8];
};
_Static_assert(offsetof(struct shmkit_lock, owner) == 0, "lock.owner");
_Static_assert(offsetof(struct shmkit_lock, abandoned) == 4, "lock.abandoned");
_Static_assert(offsetof(struct shmkit_lock, takeovers) == 8, "lock.takeovers");
_Static_assert(offsetof(struct shmkit_lock, waiters) == 32, "lock.waiters");
_Static_assert(sizeof(struct shmkit_lock) == 64, "lock");

struct shmkit_region_header {
  uint32_t magic0;
  uint32_t magic1;
  uint32_t layout_version;
  uint32_t byte_order;
  uint32_t header_bytes;
  uint32_t page_bytes;
  uint32_t max_members;
  uint32_t max_pages;
  uint32_t state;
  uint32_t lifetime;
  uint32_t epoch[2];
  double created_at;
  uint32_t member_table_page;
  uint32_t death_table_page;
  uint32_t page_map_page;
  uint32_t heap_page;
  double lock_base;
  uint32_t committed_pages;
  uint32_t attachments;
  uint32_t deaths;
  uint32_t heap_rover;
  uint32_t grown_pages;
  uint32_t slots_used;
  uint8_t reserved_104[24];
  struct shmkit_lock heap_lock;
  uint32_t space_waiters[8];
  uint32_t directory_waiters[8];
  struct shmkit_lock directory_lock;
  uint8_t reserved_320[64];
  uint32_t directory_segments[15];
  uint8_t reserved_444[4];
  uint32_t boot_id[4];
  uint32_t disk_state;
  uint32_t unclean;
  double inode;
  double device;
  uint8_t reserved_488[3608];
};
_Static_assert(offsetof(struct shmkit_region_header, magic0) == 0, "region_header.magic0");
_Static_assert(offsetof(struct shmkit_region_header, magic1) == 4, "region_header.magic1");
_Static_assert(offsetof(struct shmkit_region_header, layout_version) == 8, "region_header.layout_version");
_Static_assert(offsetof(struct shmkit_region_header, byte_order) == 12, "region_header.byte_order");
_Static_assert(offsetof(struct shmkit_region_header, header_bytes) == 16, "region_header.header_bytes");
_Static_assert(offsetof(struct shmkit_region_header, page_bytes) == 20, "region_header.page_bytes");
_Static_assert(offsetof(struct shmkit_region_header, max_members) == 24, "region_header.max_members");
_Static_assert(offsetof(struct shmkit_region_header, max_pages) == 28, "region_header.max_pages");
_Static_assert(offsetof(struct shmkit_region_header, state) == 32, "region_header.state");
_Static_assert(offsetof(struct shmkit_region_header, lifetime) == 36, "region_header.lifetime");
_Static_assert(offsetof(struct shmkit_region_header, epoch) == 40, "region_header.epoch");
_Static_assert(offsetof(struct shmkit_region_header, created_at) == 48, "region_header.created_at");
_Static_assert(offsetof(struct shmkit_region_header, member_table_page) == 56, "region_header.member_table_page");
_Static_assert(offsetof(struct shmkit_region_header, death_table_page) == 60, "region_header.death_table_page");
_Static_assert(offsetof(struct shmkit_region_header, page_map_page) == 64, "region_header.page_map_page");
_Static_assert(offsetof(struct shmkit_region_header, heap_page) == 68, "region_header.heap_page");
_Static_assert(offsetof(struct shmkit_region_header, lock_base) == 72, "region_header.lock_base");
_Static_assert(offsetof(struct shmkit_region_header, committed_pages) == 80, "region_header.committed_pages");
_Static_assert(offsetof(struct shmkit_region_header, attachments) == 84, "region_header.attachments");
_Static_assert(offsetof(struct shmkit_region_header, deaths) == 88, "region_header.deaths");
_Static_assert(offsetof(struct shmkit_region_header, heap_rover) == 92, "region_header.heap_rover");
_Static_assert(offsetof(struct shmkit_region_header, grown_pages) == 96, "region_header.grown_pages");
_Static_assert(offsetof(struct shmkit_region_header, slots_used) == 100, "region_header.slots_used");
_Static_assert(offsetof(struct shmkit_region_header, heap_lock) == 128, "region_header.heap_lock");
_Static_assert(offsetof(struct shmkit_region_header, space_waiters) == 192, "region_header.space_waiters");
_Static_assert(offsetof(struct shmkit_region_header, directory_waiters) == 224, "region_header.directory_waiters");
_Static_assert(offsetof(struct shmkit_region_header, directory_lock) == 256, "region_header.directory_lock");
_Static_assert(offsetof(struct shmkit_region_header, directory_segments) == 384, "region_header.directory_segments");
_Static_assert(offsetof(struct shmkit_region_header, boot_id) == 448, "region_header.boot_id");
_Static_assert(offsetof(struct shmkit_region_header, disk_state) == 464, "region_header.disk_state");
_Static_assert(offsetof(struct shmkit_region_header, unclean) == 468, "region_header.unclean");
_Static_assert(offsetof(struct shmkit_region_header, inode) == 472, "region_header.inode");
_Static_assert(offsetof(struct shmkit_region_header, device) == 480, "region_header.device");
_Static_assert(sizeof(struct shmkit_region_header) == 4096, "region_header");

struct shmkit_member_slot {
  uint32_t state;
  uint32_t generation;
  uint32_t pid;
  uint32_t thread_id;
  double start_time;
  double joined_at;
  uint32_t label_bytes;
  uint32_t effect;
  uint8_t reserved_40[24];
  uint32_t bell;
  uint32_t armed;
  uint8_t reserved_72[56];
  uint32_t operation;
  uint32_t ledger_page;
  uint32_t argument;
  uint32_t reaping;
  uint32_t sync_set;
  uint32_t sync_waits;
  uint8_t reserved_152[40];
  uint8_t label[64];
  uint8_t reserved_256[256];
};
_Static_assert(offsetof(struct shmkit_member_slot, state) == 0, "member_slot.state");
_Static_assert(offsetof(struct shmkit_member_slot, generation) == 4, "member_slot.generation");
_Static_assert(offsetof(struct shmkit_member_slot, pid) == 8, "member_slot.pid");
_Static_assert(offsetof(struct shmkit_member_slot, thread_id) == 12, "member_slot.thread_id");
_Static_assert(offsetof(struct shmkit_member_slot, start_time) == 16, "member_slot.start_time");
_Static_assert(offsetof(struct shmkit_member_slot, joined_at) == 24, "member_slot.joined_at");
_Static_assert(offsetof(struct shmkit_member_slot, label_bytes) == 32, "member_slot.label_bytes");
_Static_assert(offsetof(struct shmkit_member_slot, effect) == 36, "member_slot.effect");
_Static_assert(offsetof(struct shmkit_member_slot, bell) == 64, "member_slot.bell");
_Static_assert(offsetof(struct shmkit_member_slot, armed) == 68, "member_slot.armed");
_Static_assert(offsetof(struct shmkit_member_slot, operation) == 128, "member_slot.operation");
_Static_assert(offsetof(struct shmkit_member_slot, ledger_page) == 132, "member_slot.ledger_page");
_Static_assert(offsetof(struct shmkit_member_slot, argument) == 136, "member_slot.argument");
_Static_assert(offsetof(struct shmkit_member_slot, reaping) == 140, "member_slot.reaping");
_Static_assert(offsetof(struct shmkit_member_slot, sync_set) == 144, "member_slot.sync_set");
_Static_assert(offsetof(struct shmkit_member_slot, sync_waits) == 148, "member_slot.sync_waits");
_Static_assert(offsetof(struct shmkit_member_slot, label) == 192, "member_slot.label");
_Static_assert(sizeof(struct shmkit_member_slot) == 512, "member_slot");

struct shmkit_death_record {
  uint32_t sequence;
  uint32_t slot;
  uint32_t generation;
  uint32_t pid;
  uint32_t thread_id;
  uint32_t operation;
  uint32_t effect;
  uint32_t label_bytes;
  double noticed_at;
  uint32_t name_bytes;
  uint8_t reserved_44[20];
  uint8_t label[64];
  uint8_t name[120];
  uint8_t reserved_248[8];
};
_Static_assert(offsetof(struct shmkit_death_record, sequence) == 0, "death_record.sequence");
_Static_assert(offsetof(struct shmkit_death_record, slot) == 4, "death_record.slot");
_Static_assert(offsetof(struct shmkit_death_record, generation) == 8, "death_record.generation");
_Static_assert(offsetof(struct shmkit_death_record, pid) == 12, "death_record.pid");
_Static_assert(offsetof(struct shmkit_death_record, thread_id) == 16, "death_record.thread_id");
_Static_assert(offsetof(struct shmkit_death_record, operation) == 20, "death_record.operation");
_Static_assert(offsetof(struct shmkit_death_record, effect) == 24, "death_record.effect");
_Static_assert(offsetof(struct shmkit_death_record, label_bytes) == 28, "death_record.label_bytes");
_Static_assert(offsetof(struct shmkit_death_record, noticed_at) == 32, "death_record.noticed_at");
_Static_assert(offsetof(struct shmkit_death_record, name_bytes) == 40, "death_record.name_bytes");
_Static_assert(offsetof(struct shmkit_death_record, label) == 64, "death_record.label");
_Static_assert(offsetof(struct shmkit_death_record, name) == 128, "death_record.name");
_Static_assert(sizeof(struct shmkit_death_record) == 256, "death_record");

struct shmkit_wait_time {
  double since;
};
_Static_assert(offsetof(struct shmkit_wait_time, since) == 0, "wait_time.since");
_Static_assert(sizeof(struct shmkit_wait_time) == 8, "wait_time");

struct shmkit_page_map_entry {
  uint32_t run;
  uint32_t generation;
};
_Static_assert(offsetof(struct shmkit_page_map_entry, run) == 0, "page_map_entry.run");
_Static_assert(offsetof(struct shmkit_page_map_entry, generation) == 4, "page_map_entry.generation");
_Static_assert(sizeof(struct shmkit_page_map_entry) == 8, "page_map_entry");

struct shmkit_directory_entry {
  uint32_t state;
  uint32_t kind;
  uint32_t generation;
  uint32_t page;
  uint32_t name_bytes;
  uint32_t name_hash;
  double created_at;
  uint32_t options[8];
  uint32_t openers[8];
  uint32_t parent;
  uint32_t parent_generation;
  uint8_t reserved_104[24];
  uint8_t name[120];
  uint8_t reserved_248[8];
};
_Static_assert(offsetof(struct shmkit_directory_entry, state) == 0, "directory_entry.state");
_Static_assert(offsetof(struct shmkit_directory_entry, kind) == 4, "directory_entry.kind");
_Static_assert(offsetof(struct shmkit_directory_entry, generation) == 8, "directory_entry.generation");
_Static_assert(offsetof(struct shmkit_directory_entry, page) == 12, "directory_entry.page");
_Static_assert(offsetof(struct shmkit_directory_entry, name_bytes) == 16, "directory_entry.name_bytes");
_Static_assert(offsetof(struct shmkit_directory_entry, name_hash) == 20, "directory_entry.name_hash");
_Static_assert(offsetof(struct shmkit_directory_entry, created_at) == 24, "directory_entry.created_at");
_Static_assert(offsetof(struct shmkit_directory_entry, options) == 32, "directory_entry.options");
_Static_assert(offsetof(struct shmkit_directory_entry, openers) == 64, "directory_entry.openers");
_Static_assert(offsetof(struct shmkit_directory_entry, parent) == 96, "directory_entry.parent");
_Static_assert(offsetof(struct shmkit_directory_entry, parent_generation) == 100, "directory_entry.parent_generation");
_Static_assert(offsetof(struct shmkit_directory_entry, name) == 128, "directory_entry.name");
_Static_assert(sizeof(struct shmkit_directory_entry) == 256, "directory_entry");

struct shmkit_pipe {
  uint32_t capacity;
  uint32_t ring_units;
  uint32_t max_leased;
  uint32_t inline_limit;
  uint32_t lease_offset;
  uint32_t ring_offset;
  uint32_t closed;
  uint32_t lease_bytes;
  uint8_t reserved_32[32];
  struct shmkit_lock tail_lock;
  uint32_t sent;
  uint8_t reserved_132[12];
  uint32_t tail_position0;
  uint32_t high_water0;
  double sent_total0;
  double sent_bytes0;
  uint8_t reserved_168[8];
  uint32_t tail_position1;
  uint32_t high_water1;
  double sent_total1;
  double sent_bytes1;
  uint8_t reserved_200[56];
  struct shmkit_lock head_lock;
  uint32_t received;
  uint8_t reserved_324[12];
  uint32_t head_position0;
  uint8_t reserved_340[4];
  double received_total0;
  double received_bytes0;
  uint8_t reserved_360[8];
  uint32_t head_position1;
  uint8_t reserved_372[4];
  double received_total1;
  double received_bytes1;
  uint8_t reserved_392[56];
  uint32_t returned_hint;
  uint32_t redelivered;
  uint8_t reserved_456[56];
  uint32_t not_empty[8];
  uint32_t not_full[8];
  uint32_t drained[8];
  uint32_t lease_free[8];
  uint8_t reserved_640[384];
};
_Static_assert(offsetof(struct shmkit_pipe, capacity) == 0, "pipe.capacity");
_Static_assert(offsetof(struct shmkit_pipe, ring_units) == 4, "pipe.ring_units");
_Static_assert(offsetof(struct shmkit_pipe, max_leased) == 8, "pipe.max_leased");
_Static_assert(offsetof(struct shmkit_pipe, inline_limit) == 12, "pipe.inline_limit");
_Static_assert(offsetof(struct shmkit_pipe, lease_offset) == 16, "pipe.lease_offset");
_Static_assert(offsetof(struct shmkit_pipe, ring_offset) == 20, "pipe.ring_offset");
_Static_assert(offsetof(struct shmkit_pipe, closed) == 24, "pipe.closed");
_Static_assert(offsetof(struct shmkit_pipe, lease_bytes) == 28, "pipe.lease_bytes");
_Static_assert(offsetof(struct shmkit_pipe, tail_lock) == 64, "pipe.tail_lock");
_Static_assert(offsetof(struct shmkit_pipe, sent) == 128, "pipe.sent");
_Static_assert(offsetof(struct shmkit_pipe, tail_position0) == 144, "pipe.tail_position0");
_Static_assert(offsetof(struct shmkit_pipe, high_water0) == 148, "pipe.high_water0");
_Static_assert(offsetof(struct shmkit_pipe, sent_total0) == 152, "pipe.sent_total0");
_Static_assert(offsetof(struct shmkit_pipe, sent_bytes0) == 160, "pipe.sent_bytes0");
_Static_assert(offsetof(struct shmkit_pipe, tail_position1) == 176, "pipe.tail_position1");
_Static_assert(offsetof(struct shmkit_pipe, high_water1) == 180, "pipe.high_water1");
_Static_assert(offsetof(struct shmkit_pipe, sent_total1) == 184, "pipe.sent_total1");
_Static_assert(offsetof(struct shmkit_pipe, sent_bytes1) == 192, "pipe.sent_bytes1");
_Static_assert(offsetof(struct shmkit_pipe, head_lock) == 256, "pipe.head_lock");
_Static_assert(offsetof(struct shmkit_pipe, received) == 320, "pipe.received");
_Static_assert(offsetof(struct shmkit_pipe, head_position0) == 336, "pipe.head_position0");
_Static_assert(offsetof(struct shmkit_pipe, received_total0) == 344, "pipe.received_total0");
_Static_assert(offsetof(struct shmkit_pipe, received_bytes0) == 352, "pipe.received_bytes0");
_Static_assert(offsetof(struct shmkit_pipe, head_position1) == 368, "pipe.head_position1");
_Static_assert(offsetof(struct shmkit_pipe, received_total1) == 376, "pipe.received_total1");
_Static_assert(offsetof(struct shmkit_pipe, received_bytes1) == 384, "pipe.received_bytes1");
_Static_assert(offsetof(struct shmkit_pipe, returned_hint) == 448, "pipe.returned_hint");
_Static_assert(offsetof(struct shmkit_pipe, redelivered) == 452, "pipe.redelivered");
_Static_assert(offsetof(struct shmkit_pipe, not_empty) == 512, "pipe.not_empty");
_Static_assert(offsetof(struct shmkit_pipe, not_full) == 544, "pipe.not_full");
_Static_assert(offsetof(struct shmkit_pipe, drained) == 576, "pipe.drained");
_Static_assert(offsetof(struct shmkit_pipe, lease_free) == 608, "pipe.lease_free");
_Static_assert(sizeof(struct shmkit_pipe) == 1024, "pipe");

struct shmkit_lease_slot {
  uint32_t state;
  uint32_t length;
  uint32_t kind;
  uint32_t page;
  uint32_t deliveries;
  uint32_t generation;
  double sequence;
  double leased_at;
  uint8_t reserved_40[24];
};
_Static_assert(offsetof(struct shmkit_lease_slot, state) == 0, "lease_slot.state");
_Static_assert(offsetof(struct shmkit_lease_slot, length) == 4, "lease_slot.length");
_Static_assert(offsetof(struct shmkit_lease_slot, kind) == 8, "lease_slot.kind");
_Static_assert(offsetof(struct shmkit_lease_slot, page) == 12, "lease_slot.page");
_Static_assert(offsetof(struct shmkit_lease_slot, deliveries) == 16, "lease_slot.deliveries");
_Static_assert(offsetof(struct shmkit_lease_slot, generation) == 20, "lease_slot.generation");
_Static_assert(offsetof(struct shmkit_lease_slot, sequence) == 24, "lease_slot.sequence");
_Static_assert(offsetof(struct shmkit_lease_slot, leased_at) == 32, "lease_slot.leased_at");
_Static_assert(sizeof(struct shmkit_lease_slot) == 64, "lease_slot");

struct shmkit_record {
  uint32_t length;
  uint32_t kind;
};
_Static_assert(offsetof(struct shmkit_record, length) == 0, "record.length");
_Static_assert(offsetof(struct shmkit_record, kind) == 4, "record.kind");
_Static_assert(sizeof(struct shmkit_record) == 8, "record");

struct shmkit_counter {
  struct shmkit_lock lock;
  int64_t value;
  uint8_t reserved_72[8];
  int64_t target;
  uint8_t reserved_88[40];
  uint32_t change_waiters[8];
  uint8_t reserved_160[32];
};
_Static_assert(offsetof(struct shmkit_counter, lock) == 0, "counter.lock");
_Static_assert(offsetof(struct shmkit_counter, value) == 64, "counter.value");
_Static_assert(offsetof(struct shmkit_counter, target) == 80, "counter.target");
_Static_assert(offsetof(struct shmkit_counter, change_waiters) == 128, "counter.change_waiters");
_Static_assert(sizeof(struct shmkit_counter) == 192, "counter");

struct shmkit_mutex {
  struct shmkit_lock lock;
  uint32_t journal_entries;
  uint32_t word_count;
  uint32_t acquisitions;
  uint32_t contended;
  uint32_t favoured;
  uint8_t reserved_84[44];
  uint32_t words[64];
  uint32_t journal[128];
  uint8_t reserved_896[128];
};
_Static_assert(offsetof(struct shmkit_mutex, lock) == 0, "mutex.lock");
_Static_assert(offsetof(struct shmkit_mutex, journal_entries) == 64, "mutex.journal_entries");
_Static_assert(offsetof(struct shmkit_mutex, word_count) == 68, "mutex.word_count");
_Static_assert(offsetof(struct shmkit_mutex, acquisitions) == 72, "mutex.acquisitions");
_Static_assert(offsetof(struct shmkit_mutex, contended) == 76, "mutex.contended");
_Static_assert(offsetof(struct shmkit_mutex, favoured) == 80, "mutex.favoured");
_Static_assert(offsetof(struct shmkit_mutex, words) == 128, "mutex.words");
_Static_assert(offsetof(struct shmkit_mutex, journal) == 384, "mutex.journal");
_Static_assert(sizeof(struct shmkit_mutex) == 1024, "mutex");

struct shmkit_mutex_waiter {
  double since;
  double found_taken_at;
  uint32_t found_taken;
  uint8_t reserved_20[4];
};
_Static_assert(offsetof(struct shmkit_mutex_waiter, since) == 0, "mutex_waiter.since");
_Static_assert(offsetof(struct shmkit_mutex_waiter, found_taken_at) == 8, "mutex_waiter.found_taken_at");
_Static_assert(offsetof(struct shmkit_mutex_waiter, found_taken) == 16, "mutex_waiter.found_taken");
_Static_assert(sizeof(struct shmkit_mutex_waiter) == 24, "mutex_waiter");

struct shmkit_monitor {
  struct shmkit_lock lock;
  uint32_t journal_entries;
  uint32_t last_turn;
  uint8_t reserved_72[56];
  uint32_t journal[60];
  uint8_t reserved_368[16];
};
_Static_assert(offsetof(struct shmkit_monitor, lock) == 0, "monitor.lock");
_Static_assert(offsetof(struct shmkit_monitor, journal_entries) == 64, "monitor.journal_entries");
_Static_assert(offsetof(struct shmkit_monitor, last_turn) == 68, "monitor.last_turn");
_Static_assert(offsetof(struct shmkit_monitor, journal) == 128, "monitor.journal");
_Static_assert(sizeof(struct shmkit_monitor) == 384, "monitor");

struct shmkit_semaphore {
  uint32_t monitor[96];
  uint32_t permits;
  uint32_t taken;
  uint32_t wanted;
  uint32_t wanted_turn;
  uint8_t reserved_400[16];
  uint32_t waiters[8];
  uint8_t reserved_448[64];
  uint32_t held[256];
  uint32_t posted[256];
  uint32_t turns[256];
};
_Static_assert(offsetof(struct shmkit_semaphore, monitor) == 0, "semaphore.monitor");
_Static_assert(offsetof(struct shmkit_semaphore, permits) == 384, "semaphore.permits");
_Static_assert(offsetof(struct shmkit_semaphore, taken) == 388, "semaphore.taken");
_Static_assert(offsetof(struct shmkit_semaphore, wanted) == 392, "semaphore.wanted");
_Static_assert(offsetof(struct shmkit_semaphore, wanted_turn) == 396, "semaphore.wanted_turn");
_Static_assert(offsetof(struct shmkit_semaphore, waiters) == 416, "semaphore.waiters");
_Static_assert(offsetof(struct shmkit_semaphore, held) == 512, "semaphore.held");
_Static_assert(offsetof(struct shmkit_semaphore, posted) == 1536, "semaphore.posted");
_Static_assert(offsetof(struct shmkit_semaphore, turns) == 2560, "semaphore.turns");
_Static_assert(sizeof(struct shmkit_semaphore) == 3584, "semaphore");

struct shmkit_semaphore_member {
  double since;
  double found_at;
  uint32_t leases;
  uint32_t found_leases;
};
_Static_assert(offsetof(struct shmkit_semaphore_member, since) == 0, "semaphore_member.since");
_Static_assert(offsetof(struct shmkit_semaphore_member, found_at) == 8, "semaphore_member.found_at");
_Static_assert(offsetof(struct shmkit_semaphore_member, leases) == 16, "semaphore_member.leases");
_Static_assert(offsetof(struct shmkit_semaphore_member, found_leases) == 20, "semaphore_member.found_leases");
_Static_assert(sizeof(struct shmkit_semaphore_member) == 24, "semaphore_member");

struct shmkit_condition {
  uint32_t waiters[8];
  uint8_t reserved_32[32];
  uint32_t cursor;
  uint8_t reserved_68[60];
  uint32_t waits[256];
  uint32_t notifying[256];
};
_Static_assert(offsetof(struct shmkit_condition, waiters) == 0, "condition.waiters");
_Static_assert(offsetof(struct shmkit_condition, cursor) == 64, "condition.cursor");
_Static_assert(offsetof(struct shmkit_condition, waits) == 128, "condition.waits");
_Static_assert(offsetof(struct shmkit_condition, notifying) == 1152, "condition.notifying");
_Static_assert(sizeof(struct shmkit_condition) == 2176, "condition");

struct shmkit_rwlock {
  struct shmkit_lock lock;
  uint32_t gate;
  uint32_t closings;
  uint8_t reserved_72[56];
  uint32_t last_turn;
  uint32_t grants;
  uint8_t reserved_136[24];
  uint32_t waiting[8];
  uint32_t favoured[8];
  uint8_t reserved_224[32];
  uint32_t turns[256];
};
_Static_assert(offsetof(struct shmkit_rwlock, lock) == 0, "rwlock.lock");
_Static_assert(offsetof(struct shmkit_rwlock, gate) == 64, "rwlock.gate");
_Static_assert(offsetof(struct shmkit_rwlock, closings) == 68, "rwlock.closings");
_Static_assert(offsetof(struct shmkit_rwlock, last_turn) == 128, "rwlock.last_turn");
_Static_assert(offsetof(struct shmkit_rwlock, grants) == 132, "rwlock.grants");
_Static_assert(offsetof(struct shmkit_rwlock, waiting) == 160, "rwlock.waiting");
_Static_assert(offsetof(struct shmkit_rwlock, favoured) == 192, "rwlock.favoured");
_Static_assert(offsetof(struct shmkit_rwlock, turns) == 256, "rwlock.turns");
_Static_assert(sizeof(struct shmkit_rwlock) == 1280, "rwlock");

struct shmkit_rwlock_reader {
  uint32_t count;
  uint32_t possessions;
  uint32_t waits;
  uint32_t found_reading;
  double found_reading_at;
  double reading_since;
  double writing_since;
  double found_grant_at;
  uint32_t found_grant;
  uint8_t reserved_52[12];
};
_Static_assert(offsetof(struct shmkit_rwlock_reader, count) == 0, "rwlock_reader.count");
_Static_assert(offsetof(struct shmkit_rwlock_reader, possessions) == 4, "rwlock_reader.possessions");
_Static_assert(offsetof(struct shmkit_rwlock_reader, waits) == 8, "rwlock_reader.waits");
_Static_assert(offsetof(struct shmkit_rwlock_reader, found_reading) == 12, "rwlock_reader.found_reading");
_Static_assert(offsetof(struct shmkit_rwlock_reader, found_reading_at) == 16, "rwlock_reader.found_reading_at");
_Static_assert(offsetof(struct shmkit_rwlock_reader, reading_since) == 24, "rwlock_reader.reading_since");
_Static_assert(offsetof(struct shmkit_rwlock_reader, writing_since) == 32, "rwlock_reader.writing_since");
_Static_assert(offsetof(struct shmkit_rwlock_reader, found_grant_at) == 40, "rwlock_reader.found_grant_at");
_Static_assert(offsetof(struct shmkit_rwlock_reader, found_grant) == 48, "rwlock_reader.found_grant");
_Static_assert(sizeof(struct shmkit_rwlock_reader) == 64, "rwlock_reader");

struct shmkit_lock_manager {
  struct shmkit_lock lock;
  uint32_t last_order;
  uint32_t used;
  uint32_t rover;
  uint32_t changes;
  uint32_t moves;
  uint8_t reserved_84[12];
  uint32_t waiters[8];
  uint32_t segments[16];
  uint32_t segment_generations[16];
};
_Static_assert(offsetof(struct shmkit_lock_manager, lock) == 0, "lock_manager.lock");
_Static_assert(offsetof(struct shmkit_lock_manager, last_order) == 64, "lock_manager.last_order");
_Static_assert(offsetof(struct shmkit_lock_manager, used) == 68, "lock_manager.used");
_Static_assert(offsetof(struct shmkit_lock_manager, rover) == 72, "lock_manager.rover");
_Static_assert(offsetof(struct shmkit_lock_manager, changes) == 76, "lock_manager.changes");
_Static_assert(offsetof(struct shmkit_lock_manager, moves) == 80, "lock_manager.moves");
_Static_assert(offsetof(struct shmkit_lock_manager, waiters) == 96, "lock_manager.waiters");
_Static_assert(offsetof(struct shmkit_lock_manager, segments) == 128, "lock_manager.segments");
_Static_assert(offsetof(struct shmkit_lock_manager, segment_generations) == 192, "lock_manager.segment_generations");
_Static_assert(sizeof(struct shmkit_lock_manager) == 256, "lock_manager");

struct shmkit_lock_request {
  uint32_t state;
  uint32_t order;
  uint32_t name_hash;
  uint32_t name_bytes;
  uint32_t encoding;
  uint32_t name_page;
  uint32_t next;
  uint32_t name_generation;
  double requested_at;
  double granted_at;
  uint8_t name[192];
};
_Static_assert(offsetof(struct shmkit_lock_request, state) == 0, "lock_request.state");
_Static_assert(offsetof(struct shmkit_lock_request, order) == 4, "lock_request.order");
_Static_assert(offsetof(struct shmkit_lock_request, name_hash) == 8, "lock_request.name_hash");
_Static_assert(offsetof(struct shmkit_lock_request, name_bytes) == 12, "lock_request.name_bytes");
_Static_assert(offsetof(struct shmkit_lock_request, encoding) == 16, "lock_request.encoding");
_Static_assert(offsetof(struct shmkit_lock_request, name_page) == 20, "lock_request.name_page");
_Static_assert(offsetof(struct shmkit_lock_request, next) == 24, "lock_request.next");
_Static_assert(offsetof(struct shmkit_lock_request, name_generation) == 28, "lock_request.name_generation");
_Static_assert(offsetof(struct shmkit_lock_request, requested_at) == 32, "lock_request.requested_at");
_Static_assert(offsetof(struct shmkit_lock_request, granted_at) == 40, "lock_request.granted_at");
_Static_assert(offsetof(struct shmkit_lock_request, name) == 48, "lock_request.name");
_Static_assert(sizeof(struct shmkit_lock_request) == 240, "lock_request");

struct shmkit_event {
  struct shmkit_lock lock;
  uint32_t initial;
  uint32_t manual_reset;
  uint32_t taken;
  uint8_t reserved_76[20];
  uint32_t waiters[8];
  uint32_t posted[256];
  uint32_t waits[256];
};
_Static_assert(offsetof(struct shmkit_event, lock) == 0, "event.lock");
_Static_assert(offsetof(struct shmkit_event, initial) == 64, "event.initial");
_Static_assert(offsetof(struct shmkit_event, manual_reset) == 68, "event.manual_reset");
_Static_assert(offsetof(struct shmkit_event, taken) == 72, "event.taken");
_Static_assert(offsetof(struct shmkit_event, waiters) == 96, "event.waiters");
_Static_assert(offsetof(struct shmkit_event, posted) == 128, "event.posted");
_Static_assert(offsetof(struct shmkit_event, waits) == 1152, "event.waits");
_Static_assert(sizeof(struct shmkit_event) == 2176, "event");

struct shmkit_barrier {
  uint32_t monitor[96];
  uint32_t parties;
  uint32_t generation;
  uint8_t reserved_392[24];
  uint32_t waiters[8];
  uint32_t lost[8];
  uint8_t reserved_480[32];
  uint32_t places[256];
  uint32_t arrived[256];
};
_Static_assert(offsetof(struct shmkit_barrier, monitor) == 0, "barrier.monitor");
_Static_assert(offsetof(struct shmkit_barrier, parties) == 384, "barrier.parties");
_Static_assert(offsetof(struct shmkit_barrier, generation) == 388, "barrier.generation");
_Static_assert(offsetof(struct shmkit_barrier, waiters) == 416, "barrier.waiters");
_Static_assert(offsetof(struct shmkit_barrier, lost) == 448, "barrier.lost");
_Static_assert(offsetof(struct shmkit_barrier, places) == 512, "barrier.places");
_Static_assert(offsetof(struct shmkit_barrier, arrived) == 1536, "barrier.arrived");
_Static_assert(sizeof(struct shmkit_barrier) == 2560, "barrier");

struct shmkit_latch {
  uint32_t count;
  uint8_t reserved_4[28];
  uint32_t waiters[8];
  uint8_t reserved_64[64];
  uint32_t down[256];
  uint32_t promised[256];
  uint32_t lost[256];
};
_Static_assert(offsetof(struct shmkit_latch, count) == 0, "latch.count");
_Static_assert(offsetof(struct shmkit_latch, waiters) == 32, "latch.waiters");
_Static_assert(offsetof(struct shmkit_latch, down) == 128, "latch.down");
_Static_assert(offsetof(struct shmkit_latch, promised) == 1152, "latch.promised");
_Static_assert(offsetof(struct shmkit_latch, lost) == 2176, "latch.lost");
_Static_assert(sizeof(struct shmkit_latch) == 3200, "latch");

struct shmkit_once {
  struct shmkit_lock lock;
  uint32_t outcome;
  uint8_t reserved_68[4];
  uint32_t runs;
  uint8_t reserved_76[4];
  double started_at;
  uint8_t reserved_88[8];
  uint8_t result[4000];
};
_Static_assert(offsetof(struct shmkit_once, lock) == 0, "once.lock");
_Static_assert(offsetof(struct shmkit_once, outcome) == 64, "once.outcome");
_Static_assert(offsetof(struct shmkit_once, runs) == 72, "once.runs");
_Static_assert(offsetof(struct shmkit_once, started_at) == 80, "once.started_at");
_Static_assert(offsetof(struct shmkit_once, result) == 96, "once.result");
_Static_assert(sizeof(struct shmkit_once) == 4096, "once");

struct shmkit_flag {
  struct shmkit_lock lock;
  uint32_t value;
  uint8_t reserved_68[28];
  uint32_t waiters[8];
};
_Static_assert(offsetof(struct shmkit_flag, lock) == 0, "flag.lock");
_Static_assert(offsetof(struct shmkit_flag, value) == 64, "flag.value");
_Static_assert(offsetof(struct shmkit_flag, waiters) == 96, "flag.waiters");
_Static_assert(sizeof(struct shmkit_flag) == 128, "flag");

struct shmkit_rate_limiter {
  uint32_t monitor[96];
  double full_at;
  uint32_t tokens;
  uint32_t interval_ms;
  uint32_t burst;
  uint32_t taken;
  uint8_t reserved_408[8];
  uint32_t waiters[8];
  uint8_t reserved_448[64];
  uint32_t turns[256];
};
_Static_assert(offsetof(struct shmkit_rate_limiter, monitor) == 0, "rate_limiter.monitor");
_Static_assert(offsetof(struct shmkit_rate_limiter, full_at) == 384, "rate_limiter.full_at");
_Static_assert(offsetof(struct shmkit_rate_limiter, tokens) == 392, "rate_limiter.tokens");
_Static_assert(offsetof(struct shmkit_rate_limiter, interval_ms) == 396, "rate_limiter.interval_ms");
_Static_assert(offsetof(struct shmkit_rate_limiter, burst) == 400, "rate_limiter.burst");
_Static_assert(offsetof(struct shmkit_rate_limiter, taken) == 404, "rate_limiter.taken");
_Static_assert(offsetof(struct shmkit_rate_limiter, waiters) == 416, "rate_limiter.waiters");
_Static_assert(offsetof(struct shmkit_rate_limiter, turns) == 512, "rate_limiter.turns");
_Static_assert(sizeof(struct shmkit_rate_limiter) == 1536, "rate_limiter");

struct shmkit_segment_pool {
  uint32_t monitor[96];
  uint32_t segments;
  uint32_t segment_bytes;
  uint32_t acquired;
  uint32_t recovered;
  uint8_t reserved_400[16];
  uint32_t waiters[8];
  uint32_t partners[8];
  uint8_t reserved_480[32];
  uint32_t turns[256];
  uint32_t departures[256];
  double waiting_since[256];
  double partner_since[256];
  double found_at[256];
  uint32_t found_word[256];
  uint32_t found_segment[256];
};
_Static_assert(offsetof(struct shmkit_segment_pool, monitor) == 0, "segment_pool.monitor");
_Static_assert(offsetof(struct shmkit_segment_pool, segments) == 384, "segment_pool.segments");
_Static_assert(offsetof(struct shmkit_segment_pool, segment_bytes) == 388, "segment_pool.segment_bytes");
_Static_assert(offsetof(struct shmkit_segment_pool, acquired) == 392, "segment_pool.acquired");
_Static_assert(offsetof(struct shmkit_segment_pool, recovered) == 396, "segment_pool.recovered");
_Static_assert(offsetof(struct shmkit_segment_pool, waiters) == 416, "segment_pool.waiters");
_Static_assert(offsetof(struct shmkit_segment_pool, partners) == 448, "segment_pool.partners");
_Static_assert(offsetof(struct shmkit_segment_pool, turns) == 512, "segment_pool.turns");
_Static_assert(offsetof(struct shmkit_segment_pool, departures) == 1536, "segment_pool.departures");
_Static_assert(offsetof(struct shmkit_segment_pool, waiting_since) == 2560, "segment_pool.waiting_since");
_Static_assert(offsetof(struct shmkit_segment_pool, partner_since) == 4608, "segment_pool.partner_since");
_Static_assert(offsetof(struct shmkit_segment_pool, found_at) == 6656, "segment_pool.found_at");
_Static_assert(offsetof(struct shmkit_segment_pool, found_word) == 8704, "segment_pool.found_word");
_Static_assert(offsetof(struct shmkit_segment_pool, found_segment) == 9728, "segment_pool.found_segment");
_Static_assert(sizeof(struct shmkit_segment_pool) == 10752, "segment_pool");

struct shmkit_composite {
  uint32_t parts;
  uint8_t reserved_4[60];
  uint32_t entries[64];
};
_Static_assert(offsetof(struct shmkit_composite, parts) == 0, "composite.parts");
_Static_assert(offsetof(struct shmkit_composite, entries) == 64, "composite.entries");
_Static_assert(sizeof(struct shmkit_composite) == 320, "composite");

#endif
