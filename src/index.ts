/**
 * Cross-process shared memory: regions, and in them pipes, counters, locks and more that survive `kill -9` of any process.
 * Begin with {@link open}.
 * @module shmkit
 */
export { open, Region } from "./region/region.js";
export { RegionReader } from "./region/region-reader.js";
export { ShareableList } from "./mappings/shareable-list.js";
export type { ShareableValue } from "./mappings/shareable-list-layout.js";
export { SystemSemaphore, type SystemSemaphoreOptions } from "./mappings/system-semaphore.js";
export { SharedMemory } from "./mappings/shared-memory.js";
export type { SharedMemoryOpenOptions, SharedMemoryOptions } from "./mappings/shared-memory-block.js";
export type { SharedMemoryLock } from "./mappings/shared-memory-lock.js";
export type { RegionEvents } from "./region/region-objects.js";
export type { ConditionOptions, CounterOptions, FlagOptions, OnceOptions, RwLockOptions } from "./region/kind-faces.js";
export { probeSystem, type Facility, type FacilityName, type SystemReport } from "./region/facilities.js";
export type { LifetimeName } from "./region/geometry.js";
export type { Kind } from "./layout/heap.js";
export type { OperationName } from "./layout/member-slot.js";
export type {
  AnonymousOptions,
  DescriptorOptions,
  CleanOptions,
  ReaderOptions,
  RegionOpenOptions,
  RegionOptions,
} from "./region/options.js";
export type { Collection, OpenOptions } from "./region/collection.js";
export { Composite, type CompositeCollection, type CompositeOptions, type PartsOf } from "./region/composite.js";
export { part, Part, type PartObject, type PartPlans } from "./region/part.js";
export type { PipeCollection } from "./region/pipe-collection.js";
export type { DiskStateName } from "./region/disk-state.js";
export type { InspectOptions, ObjectInfo, RegionInfo } from "./region/snapshot.js";
export type { MemoryRange, MemoryUse } from "./region/memory-map.js";
export type { MemberInfo } from "./members/member-info.js";
export type { MemberDeath } from "./members/deaths.js";
export type { DiagnosticEvents, RegionEvent, WaitEvent } from "./members/diagnostics.js";
export { Pipe, type ProcessOptions, type ReceiveOptions } from "./channels/pipe.js";
export { select, selectSync, trySelect, type Selected } from "./channels/select.js";
export {
  fetchTransfer,
  type FetchTransferOptions,
  type Transfer,
  type TransferProgress,
} from "./channels/transfer/fetch.js";
export {
  serveTransfers,
  type ServeTransfersOptions,
  type TransferFinder,
  type TransferRequest,
  type TransferSource,
} from "./channels/transfer/serve.js";
export type { TransferStatus } from "./channels/transfer/chunk.js";
export { Lease } from "./channels/lease.js";
export type { PipeReadableOptions, StreamMode, PipeWritableOptions } from "./channels/stream-options.js";
export type { MessageCodec } from "./channels/message-codec.js";
export type { PipeHandleOptions, PipeOptions } from "./channels/pipe-options.js";
export type { PipeStatistics } from "./channels/pipe-statistics.js";
export { Counter, Counter as AtomicInt64, type CounterStatistics, type Integer } from "./values/counter.js";
export { PooledSegment, type SegmentTicket } from "./values/pooled-segment.js";
export { SegmentPool, type SegmentPoolOptions } from "./values/segment-pool.js";
export type { SegmentPoolStatistics } from "./values/segment-pool-words.js";
export { Condition, type ConditionStatistics, type ConditionWaitOptions } from "./sync/condition.js";
export { RateLimiter, type RateLimiterOptions, type RateLimiterStatistics } from "./sync/rate-limiter.js";
export { RwLock, RwLockGuard, type RwLockMode } from "./sync/rwlock.js";
export type { RwLockReader, RwLockStatistics } from "./sync/rwlock-words.js";
export { Barrier, type BarrierOptions, type BarrierResult, type BarrierStatistics } from "./sync/barrier.js";
export { Flag, type FlagStatistics } from "./sync/flag.js";
export { Latch, type LatchOptions, type LatchResult, type LatchStatistics } from "./sync/latch.js";
export { Once, type OnceResult, type OnceStatistics, type OnceTried } from "./sync/once.js";
export { SharedEvent, type EventOptions, type EventStatistics } from "./sync/event.js";
export { Semaphore, SemaphoreLease, type AcquireOptions, type SemaphoreOptions } from "./sync/semaphore.js";
export type { SemaphoreStatistics } from "./sync/semaphore-words.js";
export { Mutex, type MutexOptions } from "./sync/mutex.js";
export type { LockOptions } from "./sync/lock-options.js";
export { MutexGuard } from "./sync/mutex-guard.js";
export type { Waiter } from "./members/wait-times.js";
export type { MutexStatistics } from "./sync/mutex-statistics.js";
export {
  Lock,
  LockManager,
  type LockGrantedCallback,
  type LockInfo,
  type LockManagerSnapshot,
  type LockMode,
  type LockRequestOptions,
} from "./sync/lock-manager.js";
export type { LockEntry, LocksStatistics } from "./sync/lock-requests.js";
export {
  ArgumentError,
  ArgumentRangeError,
  ERROR_CODES,
  ShmkitError,
  type DeadlockedMember,
  type ErrorCode,
  type ErrorDetails,
} from "./base/errors.js";
export type { WaitOptions } from "./base/deadline.js";
export type { Size } from "./base/sizes.js";
export type { HeapStatistics } from "./heap/page-heap.js";
export {
  struct,
  Struct,
  type Fields,
  type LiveField,
  type LiveRecord,
  type ValuesOf,
} from "./memory/structs/struct.js";
export type { NamedStruct } from "./memory/structs/declared-names.js";
export type { StructOptions } from "./memory/structs/struct-options.js";
export type { BitLayout, FieldLayout, StructLayout } from "./memory/structs/struct-layout.js";
export type { MemoryLike } from "./memory/structs/memory-view.js";
export { FieldType, type StructOf } from "./memory/structs/field-type.js";
export {
  bool,
  float16,
  float32,
  float64,
  int16,
  int32,
  int64,
  int8,
  ScalarType,
  uint16,
  uint32,
  uint64,
  uint8,
} from "./memory/structs/scalars.js";
export { bytes, BytesType, string, TextType, type TextOptions } from "./memory/structs/fixed-bytes.js";
export { array, ArrayType } from "./memory/structs/array-type.js";
export { BitFields, bits } from "./memory/structs/bit-fields.js";
export { Cursor } from "./memory/structs/cursor.js";
export { StructAtomics, type AtomicField, type AtomicValue } from "./memory/structs/atomics.js";
export {
  MemoryMappedFile,
  type MapBlockOptions,
  type MapFileOptions,
  type MapOptions,
} from "./mappings/memory-mapped-file.js";
export { MappedView } from "./mappings/mapped-view.js";
export { MappedStream } from "./mappings/mapped-stream.js";
export type { MapAccess } from "./mappings/access.js";
export type { MapFile, MapFileMode } from "./mappings/plain-file.js";
