"""Layout of a shmkit region, version 1; docs/layout.md explains it.

Generated from src/layout by scripts/generate-layout.mjs: do not edit.
"""

import struct
from typing import NamedTuple

DIRECTORY = "/dev/shm"
PREFIX = "shmkit."

BARRIER_BYTES = 2560
PLACE_LOST = 0x10000
COMPOSITE_BYTES = 320
MAX_PARTS = 64
CONDITION_BYTES = 2176
CONDITION_WAIT = 0x10000
CONDITION_WAKE = 1
MAX_CONDITION_WAITS = 65535
EVENT_BYTES = 2176
FLAG_BYTES = 128
ENTRY_BYTES = 256
MAX_RUN_PAGES = 0xfffff
OPTION_WORDS = 8
PAGE_MAP_BYTES = 8
LATCH_BYTES = 3200
FIRST_LOCK_REQUESTS = 16
INLINE_NAME_BYTES = 192
LOCK_MANAGER_BYTES = 256
LOCK_REQUEST_BYTES = 240
LOCK_SEGMENTS = 16
COUNTER_BYTES = 192
LOCK_BYTES = 64
MUTEX_BYTES = 1024
MUTEX_WAITER_BYTES = 24
MUTEX_WORDS = 64
DEATH_BYTES = 256
DEATH_RECORDS = 64
LABEL_BYTES = 64
NO_ENTRY = 0xfffff
SLOT_BYTES = 512
MONITOR_JOURNAL = 30
ONCE_BYTES = 4096
ONCE_RESULT_BYTES = 4000
BLOCK_REFERENCE_BYTES = 8
COPY_BYTES = 32
IN_BLOCK = 256
LEASE_HEADER_BYTES = 64
PIPE_BYTES = 1024
RECORD_HEADER_BYTES = 8
RATE_LIMITER_BYTES = 1536
BYTE_ORDER_MARK = 0x1020304
DIRECTORY_SEGMENTS = 15
FIRST_SEGMENT_ENTRIES = 32
LAYOUT_VERSION = 1
LOCK_BASE = 4503599627370496
MAGIC_0 = 0x4b4d4853
MAGIC_1 = 0xa0d5449
MEMBER_LIMIT = 256
PAGE_BYTES = 4096
SET_WORDS = 8
GATE_ENTERED = 0x10000
RWLOCK_BYTES = 1280
RWLOCK_READER_BYTES = 64
MAX_SEGMENTS = 0x10000
SEGMENT_ALIGNMENT = 64
SEGMENT_POOL_BYTES = 10752
SEMAPHORE_BYTES = 3584
SEMAPHORE_MEMBER_BYTES = 24
WAIT_TIME_BYTES = 8

NOTIFY_NONE = 0
NOTIFY_ONE = 1
NOTIFY_ALL = 2

ENTRY_STATE_FREE = 0
ENTRY_STATE_LIVE = 1
ENTRY_STATE_REMOVED = 2
ENTRY_STATE_PART = 3

RUN_STATE_INTERIOR = 0
RUN_STATE_FREE = 1
RUN_STATE_USED = 2
RUN_STATE_KEPT = 3

NAME_ENCODING_LATIN1 = 0
NAME_ENCODING_UTF16 = 1

REQUEST_STATE_FREE = 0
REQUEST_STATE_WAITING = 1
REQUEST_STATE_HELD = 2
REQUEST_STATE_STEALING = 3
REQUEST_STATE_STOLEN = 4

ARMED_EVENT_LOOP = 1
ARMED_SYNC = 2
ARMED_MASK = 3
ARMED_ONCE = 4

EFFECT_IDLE = 0
EFFECT_NONE = 1
EFFECT_COMMITTED = 2

PHASE_NONE = 0
PHASE_BEGUN = 1
PHASE_CRITICAL = 2
PHASE_COMMITTED = 3

SLOT_STATE_FREE = 0
SLOT_STATE_ACTIVE = 1

LEASE_STATE_FREE = 0
LEASE_STATE_HELD = 1
LEASE_STATE_RETURNED = 2

RECORD_KIND_BYTES = 1
RECORD_KIND_VALUE = 2
RECORD_KIND_WRAP = 3

DISK_STATE_IN_ORDER = 0
DISK_STATE_MARKING = 1
DISK_STATE_IN_USE = 2
DISK_STATE_MIXED = 3

LIFETIME_PROCESS = 1
LIFETIME_KERNEL = 2
LIFETIME_FILE = 3
LIFETIME_ANONYMOUS = 4

REGION_STATE_BUILDING = 0
REGION_STATE_OPEN = 1
REGION_STATE_CLOSED = 2

KINDS = (
    "none",
    "pipe",
    "counter",
    "mutex",
    "semaphore",
    "condition",
    "rwlock",
    "locks",
    "event",
    "barrier",
    "latch",
    "once",
    "flag",
    "rate-limiter",
    "segment-pool",
    "composite",
)

OPERATIONS = (
    "none",
    "pipe.send",
    "pipe.receive",
    "pipe.lease",
    "pipe.receive-returned",
    "pipe.lease-returned",
    "pipe.ack",
    "pipe.nack",
    "pipe.close",
    "counter.update",
    "mutex.lock",
    "mutex.unlock",
    "object.create",
    "object.open",
    "object.remove",
    "object.detach",
    "heap.allocate",
    "semaphore.acquire",
    "semaphore.wait",
    "semaphore.release",
    "semaphore.post",
    "condition.wait",
    "condition.notify",
    "rwlock.lock",
    "rwlock.unlock",
    "locks.request",
    "locks.release",
    "event.set",
    "event.wait",
    "event.reset",
    "barrier.enrol",
    "barrier.arrive",
    "latch.enrol",
    "latch.count-down",
    "once.begin",
    "once.finish",
    "flag.update",
    "rate-limiter.take",
    "segment-pool.acquire",
    "segment-pool.release",
    "segment-pool.hand-over",
    "segment-pool.take-over",
)


class Field(NamedTuple):
    """Where a field is: its offset, its type as a character of the struct module, its number of elements."""

    offset: int
    format: str
    count: int

    def read(self, buffer, base: int = 0):
        """The field of the structure at `base`: a number, a tuple of numbers, or bytes."""
        at = base + self.offset
        if self.format == "B":
            return bytes(buffer[at : at + self.count])
        values = struct.unpack_from(f"<{self.count}{self.format}", buffer, at)
        return values[0] if self.count == 1 else values


REGION_HEADER_SIZE = 4096
REGION_HEADER = {
    "magic0": Field(0, "I", 1),
    "magic1": Field(4, "I", 1),
    "layout_version": Field(8, "I", 1),
    "byte_order": Field(12, "I", 1),
    "header_bytes": Field(16, "I", 1),
    "page_bytes": Field(20, "I", 1),
    "max_members": Field(24, "I", 1),
    "max_pages": Field(28, "I", 1),
    "state": Field(32, "I", 1),
    "lifetime": Field(36, "I", 1),
    "epoch": Field(40, "I", 2),
    "created_at": Field(48, "d", 1),
    "member_table_page": Field(56, "I", 1),
    "death_table_page": Field(60, "I", 1),
    "page_map_page": Field(64, "I", 1),
    "heap_page": Field(68, "I", 1),
    "lock_base": Field(72, "d", 1),
    "committed_pages": Field(80, "I", 1),
    "attachments": Field(84, "I", 1),
    "deaths": Field(88, "I", 1),
    "heap_rover": Field(92, "I", 1),
    "grown_pages": Field(96, "I", 1),
    "slots_used": Field(100, "I", 1),
    "heap_lock": Field(128, "I", 16),
    "space_waiters": Field(192, "I", 8),
    "directory_waiters": Field(224, "I", 8),
    "directory_lock": Field(256, "I", 16),
    "directory_segments": Field(384, "I", 15),
    "boot_id": Field(448, "I", 4),
    "disk_state": Field(464, "I", 1),
    "unclean": Field(468, "I", 1),
    "inode": Field(472, "d", 1),
    "device": Field(480, "d", 1),
}

MEMBER_SLOT_SIZE = 512
MEMBER_SLOT = {
    "state": Field(0, "I", 1),
    "generation": Field(4, "I", 1),
    "pid": Field(8, "I", 1),
    "thread_id": Field(12, "I", 1),
    "start_time": Field(16, "d", 1),
    "joined_at": Field(24, "d", 1),
    "label_bytes": Field(32, "I", 1),
    "effect": Field(36, "I", 1),
    "bell": Field(64, "I", 1),
    "armed": Field(68, "I", 1),
    "operation": Field(128, "I", 1),
    "ledger_page": Field(132, "I", 1),
    "argument": Field(136, "I", 1),
    "reaping": Field(140, "I", 1),
    "sync_set": Field(144, "I", 1),
    "sync_waits": Field(148, "I", 1),
    "label": Field(192, "B", 64),
}

DEATH_RECORD_SIZE = 256
DEATH_RECORD = {
    "sequence": Field(0, "I", 1),
    "slot": Field(4, "I", 1),
    "generation": Field(8, "I", 1),
    "pid": Field(12, "I", 1),
    "thread_id": Field(16, "I", 1),
    "operation": Field(20, "I", 1),
    "effect": Field(24, "I", 1),
    "label_bytes": Field(28, "I", 1),
    "noticed_at": Field(32, "d", 1),
    "name_bytes": Field(40, "I", 1),
    "label": Field(64, "B", 64),
    "name": Field(128, "B", 120),
}

LOCK_SIZE = 64
LOCK = {
    "owner": Field(0, "I", 1),
    "abandoned": Field(4, "I", 1),
    "takeovers": Field(8, "I", 1),
    "waiters": Field(32, "I", 8),
}

WAIT_TIME_SIZE = 8
WAIT_TIME = {
    "since": Field(0, "d", 1),
}

PAGE_MAP_ENTRY_SIZE = 8
PAGE_MAP_ENTRY = {
    "run": Field(0, "I", 1),
    "generation": Field(4, "I", 1),
}

DIRECTORY_ENTRY_SIZE = 256
DIRECTORY_ENTRY = {
    "state": Field(0, "I", 1),
    "kind": Field(4, "I", 1),
    "generation": Field(8, "I", 1),
    "page": Field(12, "I", 1),
    "name_bytes": Field(16, "I", 1),
    "name_hash": Field(20, "I", 1),
    "created_at": Field(24, "d", 1),
    "options": Field(32, "I", 8),
    "openers": Field(64, "I", 8),
    "parent": Field(96, "I", 1),
    "parent_generation": Field(100, "I", 1),
    "name": Field(128, "B", 120),
}

PIPE_SIZE = 1024
PIPE = {
    "capacity": Field(0, "I", 1),
    "ring_units": Field(4, "I", 1),
    "max_leased": Field(8, "I", 1),
    "inline_limit": Field(12, "I", 1),
    "lease_offset": Field(16, "I", 1),
    "ring_offset": Field(20, "I", 1),
    "closed": Field(24, "I", 1),
    "lease_bytes": Field(28, "I", 1),
    "tail_lock": Field(64, "I", 16),
    "sent": Field(128, "I", 1),
    "tail_position0": Field(144, "I", 1),
    "high_water0": Field(148, "I", 1),
    "sent_total0": Field(152, "d", 1),
    "sent_bytes0": Field(160, "d", 1),
    "tail_position1": Field(176, "I", 1),
    "high_water1": Field(180, "I", 1),
    "sent_total1": Field(184, "d", 1),
    "sent_bytes1": Field(192, "d", 1),
    "head_lock": Field(256, "I", 16),
    "received": Field(320, "I", 1),
    "head_position0": Field(336, "I", 1),
    "received_total0": Field(344, "d", 1),
    "received_bytes0": Field(352, "d", 1),
    "head_position1": Field(368, "I", 1),
    "received_total1": Field(376, "d", 1),
    "received_bytes1": Field(384, "d", 1),
    "returned_hint": Field(448, "I", 1),
    "redelivered": Field(452, "I", 1),
    "not_empty": Field(512, "I", 8),
    "not_full": Field(544, "I", 8),
    "drained": Field(576, "I", 8),
    "lease_free": Field(608, "I", 8),
}

LEASE_SLOT_SIZE = 64
LEASE_SLOT = {
    "state": Field(0, "I", 1),
    "length": Field(4, "I", 1),
    "kind": Field(8, "I", 1),
    "page": Field(12, "I", 1),
    "deliveries": Field(16, "I", 1),
    "generation": Field(20, "I", 1),
    "sequence": Field(24, "d", 1),
    "leased_at": Field(32, "d", 1),
}

RECORD_SIZE = 8
RECORD = {
    "length": Field(0, "I", 1),
    "kind": Field(4, "I", 1),
}

COUNTER_SIZE = 192
COUNTER = {
    "lock": Field(0, "I", 16),
    "value": Field(64, "q", 1),
    "target": Field(80, "q", 1),
    "change_waiters": Field(128, "I", 8),
}

MUTEX_SIZE = 1024
MUTEX = {
    "lock": Field(0, "I", 16),
    "journal_entries": Field(64, "I", 1),
    "word_count": Field(68, "I", 1),
    "acquisitions": Field(72, "I", 1),
    "contended": Field(76, "I", 1),
    "favoured": Field(80, "I", 1),
    "words": Field(128, "I", 64),
    "journal": Field(384, "I", 128),
}

MUTEX_WAITER_SIZE = 24
MUTEX_WAITER = {
    "since": Field(0, "d", 1),
    "found_taken_at": Field(8, "d", 1),
    "found_taken": Field(16, "I", 1),
}

MONITOR_SIZE = 384
MONITOR = {
    "lock": Field(0, "I", 16),
    "journal_entries": Field(64, "I", 1),
    "last_turn": Field(68, "I", 1),
    "journal": Field(128, "I", 60),
}

SEMAPHORE_SIZE = 3584
SEMAPHORE = {
    "monitor": Field(0, "I", 96),
    "permits": Field(384, "I", 1),
    "taken": Field(388, "I", 1),
    "wanted": Field(392, "I", 1),
    "wanted_turn": Field(396, "I", 1),
    "waiters": Field(416, "I", 8),
    "held": Field(512, "I", 256),
    "posted": Field(1536, "I", 256),
    "turns": Field(2560, "I", 256),
}

SEMAPHORE_MEMBER_SIZE = 24
SEMAPHORE_MEMBER = {
    "since": Field(0, "d", 1),
    "found_at": Field(8, "d", 1),
    "leases": Field(16, "I", 1),
    "found_leases": Field(20, "I", 1),
}

CONDITION_SIZE = 2176
CONDITION = {
    "waiters": Field(0, "I", 8),
    "cursor": Field(64, "I", 1),
    "waits": Field(128, "I", 256),
    "notifying": Field(1152, "I", 256),
}

RWLOCK_SIZE = 1280
RWLOCK = {
    "lock": Field(0, "I", 16),
    "gate": Field(64, "I", 1),
    "closings": Field(68, "I", 1),
    "last_turn": Field(128, "I", 1),
    "grants": Field(132, "I", 1),
    "waiting": Field(160, "I", 8),
    "favoured": Field(192, "I", 8),
    "turns": Field(256, "I", 256),
}

RWLOCK_READER_SIZE = 64
RWLOCK_READER = {
    "count": Field(0, "I", 1),
    "possessions": Field(4, "I", 1),
    "waits": Field(8, "I", 1),
    "found_reading": Field(12, "I", 1),
    "found_reading_at": Field(16, "d", 1),
    "reading_since": Field(24, "d", 1),
    "writing_since": Field(32, "d", 1),
    "found_grant_at": Field(40, "d", 1),
    "found_grant": Field(48, "I", 1),
}

LOCK_MANAGER_SIZE = 256
LOCK_MANAGER = {
    "lock": Field(0, "I", 16),
    "last_order": Field(64, "I", 1),
    "used": Field(68, "I", 1),
    "rover": Field(72, "I", 1),
    "changes": Field(76, "I", 1),
    "moves": Field(80, "I", 1),
    "waiters": Field(96, "I", 8),
    "segments": Field(128, "I", 16),
    "segment_generations": Field(192, "I", 16),
}

LOCK_REQUEST_SIZE = 240
LOCK_REQUEST = {
    "state": Field(0, "I", 1),
    "order": Field(4, "I", 1),
    "name_hash": Field(8, "I", 1),
    "name_bytes": Field(12, "I", 1),
    "encoding": Field(16, "I", 1),
    "name_page": Field(20, "I", 1),
    "next": Field(24, "I", 1),
    "name_generation": Field(28, "I", 1),
    "requested_at": Field(32, "d", 1),
    "granted_at": Field(40, "d", 1),
    "name": Field(48, "B", 192),
}

EVENT_SIZE = 2176
EVENT = {
    "lock": Field(0, "I", 16),
    "initial": Field(64, "I", 1),
    "manual_reset": Field(68, "I", 1),
    "taken": Field(72, "I", 1),
    "waiters": Field(96, "I", 8),
    "posted": Field(128, "I", 256),
    "waits": Field(1152, "I", 256),
}

BARRIER_SIZE = 2560
BARRIER = {
    "monitor": Field(0, "I", 96),
    "parties": Field(384, "I", 1),
    "generation": Field(388, "I", 1),
    "waiters": Field(416, "I", 8),
    "lost": Field(448, "I", 8),
    "places": Field(512, "I", 256),
    "arrived": Field(1536, "I", 256),
}

LATCH_SIZE = 3200
LATCH = {
    "count": Field(0, "I", 1),
    "waiters": Field(32, "I", 8),
    "down": Field(128, "I", 256),
    "promised": Field(1152, "I", 256),
    "lost": Field(2176, "I", 256),
}

ONCE_SIZE = 4096
ONCE = {
    "lock": Field(0, "I", 16),
    "outcome": Field(64, "I", 1),
    "runs": Field(72, "I", 1),
    "started_at": Field(80, "d", 1),
    "result": Field(96, "B", 4000),
}

FLAG_SIZE = 128
FLAG = {
    "lock": Field(0, "I", 16),
    "value": Field(64, "I", 1),
    "waiters": Field(96, "I", 8),
}

RATE_LIMITER_SIZE = 1536
RATE_LIMITER = {
    "monitor": Field(0, "I", 96),
    "full_at": Field(384, "d", 1),
    "tokens": Field(392, "I", 1),
    "interval_ms": Field(396, "I", 1),
    "burst": Field(400, "I", 1),
    "taken": Field(404, "I", 1),
    "waiters": Field(416, "I", 8),
    "turns": Field(512, "I", 256),
}

SEGMENT_POOL_SIZE = 10752
SEGMENT_POOL = {
    "monitor": Field(0, "I", 96),
    "segments": Field(384, "I", 1),
    "segment_bytes": Field(388, "I", 1),
    "acquired": Field(392, "I", 1),
    "recovered": Field(396, "I", 1),
    "waiters": Field(416, "I", 8),
    "partners": Field(448, "I", 8),
    "turns": Field(512, "I", 256),
    "departures": Field(1536, "I", 256),
    "waiting_since": Field(2560, "d", 256),
    "partner_since": Field(4608, "d", 256),
    "found_at": Field(6656, "d", 256),
    "found_word": Field(8704, "I", 256),
    "found_segment": Field(9728, "I", 256),
}

COMPOSITE_SIZE = 320
COMPOSITE = {
    "parts": Field(0, "I", 1),
    "entries": Field(64, "I", 64),
}


def run_pages(word: int) -> int:
    return (word >> 0) & 0xfffff


def run_owner(word: int) -> int:
    return (word >> 20) & 511


def run_punched(word: int) -> int:
    return (word >> 29) & 1


def run_state(word: int) -> int:
    return (word >> 30) & 3


def operation_entry(word: int) -> int:
    return (word >> 0) & 0xfffff


def operation_nibble(word: int) -> int:
    return (word >> 20) & 15


def operation_phase(word: int) -> int:
    return (word >> 24) & 3


def operation_code(word: int) -> int:
    return (word >> 26) & 63


def lease_state(word: int) -> int:
    return (word >> 0) & 255


def lease_owner(word: int) -> int:
    return (word >> 8) & 0xffffff


def condition_waits_wakes(word: int) -> int:
    return (word >> 0) & 65535


def condition_waits_waits(word: int) -> int:
    return (word >> 16) & 65535


def request_state(word: int) -> int:
    return (word >> 0) & 7


def request_shared(word: int) -> int:
    return (word >> 3) & 1


def request_owner(word: int) -> int:
    return (word >> 4) & 0xfffffff


def segment_owner(word: int) -> int:
    return (word >> 0) & 511


def segment_handed_over(word: int) -> int:
    return (word >> 9) & 1


def segment_generation(word: int) -> int:
    return (word >> 10) & 0x3fffff


def segment_argument_segment(word: int) -> int:
    return (word >> 0) & 65535


def segment_argument_generation(word: int) -> int:
    return (word >> 16) & 65535


def record_kind_kind(word: int) -> int:
    return (word >> 0) & 255


def record_kind_in_block(word: int) -> int:
    return (word >> 8) & 1


def record_kind_sender(word: int) -> int:
    return (word >> 16) & 65535
