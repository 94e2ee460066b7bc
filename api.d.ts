// The public interface, without comments. Generated: npm run check -- api-report --fix

export interface AcquireOptions extends LockOptions {
    permits?: number;
}

export type AnonymousOptions = Pick<RegionOptions, "size" | "maxSize" | "maxMembers" | "label" | "shared"> & WaitOptions;

export class ArgumentError extends TypeError {
    readonly code: ErrorCode;
    constructor(code: ErrorCode, message: string, details?: ErrorDetails);
}

export class ArgumentRangeError extends RangeError {
    readonly code: ErrorCode;
    constructor(code: ErrorCode, message: string, details?: ErrorDetails);
}

export class ArrayType<E extends FieldType<unknown> = FieldType<unknown>> extends FieldType<StructOf<E>[]> {
    readonly kind = "array";
    readonly size: number;
    readonly alignment: number;
    readonly element: E;
    readonly length: number;
    toString(): string;
}

export type AtomicField<F extends Fields> = {
    [K in keyof F]: F[K] extends ScalarType<number> | ScalarType<bigint> ? K : never;
}[keyof F] & string;

export class Counter {
    get value(): bigint;
    add(delta?: Integer, options?: WaitOptions): Promise<bigint>;
    addSync(delta?: Integer, options?: WaitOptions): bigint;
    sub(delta?: Integer, options?: WaitOptions): Promise<bigint>;
    subSync(delta?: Integer, options?: WaitOptions): bigint;
    exchange(value: Integer, options?: WaitOptions): Promise<bigint>;
    exchangeSync(value: Integer, options?: WaitOptions): bigint;
    compareExchange(expected: Integer, value: Integer, options?: WaitOptions): Promise<bigint>;
    compareExchangeSync(expected: Integer, value: Integer, options?: WaitOptions): bigint;
    set(value: Integer, options?: WaitOptions): Promise<bigint>;
    setSync(value: Integer, options?: WaitOptions): bigint;
    waitFor(minimum: Integer, options?: WaitOptions): Promise<bigint>;
    waitForSync(minimum: Integer, options?: WaitOptions): bigint;
    statistics(): CounterStatistics;
    readonly name: string;
    get address(): string;
    detach(): void;
    [Symbol.dispose](): void;
}

export type AtomicValue<T> = T extends FieldType<infer V> ? V : never;

export class Barrier {
    get parties(): number;
    enrol(options?: WaitOptions): Promise<void>;
    enrolSync(options?: WaitOptions): void;
    tryEnrol(): boolean;
    arrive(options?: WaitOptions): Promise<void>;
    arriveSync(options?: WaitOptions): void;
    tryArrive(): boolean;
    wait(options?: WaitOptions): Promise<BarrierResult>;
    waitSync(options?: WaitOptions): BarrierResult;
    tryWait(): BarrierResult | undefined;
    statistics(): BarrierStatistics;
    readonly name: string;
    get address(): string;
    detach(): void;
    [Symbol.dispose](): void;
}

export interface BarrierOptions {
    parties?: number;
}

export interface BarrierResult {
    readonly generation: number;
    readonly leader: boolean;
    readonly lost: readonly number[];
}

export interface BarrierStatistics {
    readonly parties: number;
    readonly generation: number;
    readonly arrived: readonly number[];
    readonly waiting: readonly Waiter[];
    readonly expected: readonly number[];
    readonly lost: readonly number[];
    readonly free: number;
}

export class BitFields<Name extends string = string> extends FieldType<Record<Name, number>> {
    readonly kind = "bits";
    readonly size: number;
    readonly alignment: number;
    readonly unit: ScalarType<number>;
    toString(): string;
}

export interface BitLayout {
    readonly shift: number;
    readonly width: number;
}

export class BytesType extends FieldType<Uint8Array> {
    readonly kind = "bytes";
    readonly size: number;
    readonly alignment = 1;
    toString(): string;
}

export interface CleanOptions {
    readonly kernel?: boolean;
    readonly name?: string;
}

export class Collection<Options extends object, O extends NamedObject> {
    create(name: string, options?: Options & WaitOptions): Promise<O>;
    createSync(name: string, options?: Options & WaitOptions): O;
    open(name: string, options?: OpenOptions): Promise<O>;
    openSync(name: string, options?: OpenOptions): O;
    openOrCreate(name: string, options?: Options & WaitOptions): Promise<O>;
    openOrCreateSync(name: string, options?: Options & WaitOptions): O;
    remove(name: string, options?: WaitOptions): Promise<boolean>;
    removeSync(name: string, options?: WaitOptions): boolean;
    list(): string[];
}

export class Composite<P extends PartPlans = PartPlans> {
    readonly parts: PartsOf<P>;
    detach(): void;
    readonly name: string;
    get address(): string;
    [Symbol.dispose](): void;
}

export interface CompositeCollection extends Collection<CompositeOptions, Composite> {
    create<P extends PartPlans>(name: string, options?: CompositeOptions<P> & WaitOptions): Promise<Composite<P>>;
    createSync<P extends PartPlans>(name: string, options?: CompositeOptions<P> & WaitOptions): Composite<P>;
    open<P extends PartPlans>(name: string, options?: Partial<CompositeOptions<P>> & OpenOptions): Promise<Composite<P>>;
    openSync<P extends PartPlans>(name: string, options?: Partial<CompositeOptions<P>> & OpenOptions): Composite<P>;
    openOrCreate<P extends PartPlans>(name: string, options?: CompositeOptions<P> & WaitOptions): Promise<Composite<P>>;
    openOrCreateSync<P extends PartPlans>(name: string, options?: CompositeOptions<P> & WaitOptions): Composite<P>;
}

export interface CompositeOptions<P extends PartPlans = PartPlans> {
    parts: P;
}

export class Condition {
    wait(guard: MutexGuard, options?: ConditionWaitOptions): Promise<void>;
    waitSync(guard: MutexGuard, options?: ConditionWaitOptions): void;
    waitFor(guard: MutexGuard, predicate: () => boolean | PromiseLike<boolean>, options?: ConditionWaitOptions): Promise<void>;
    waitForSync(guard: MutexGuard, predicate: () => boolean, options?: ConditionWaitOptions): void;
    notifyOne(): boolean;
    notifyAll(): number;
    statistics(): ConditionStatistics;
    readonly name: string;
    get address(): string;
    detach(): void;
    [Symbol.dispose](): void;
}

export type ConditionOptions = Record<never, never>;

export interface ConditionStatistics {
    readonly waiting: readonly (Waiter & {
        readonly waits: number;
        readonly woken: number;
    })[];
}

export interface ConditionWaitOptions extends WaitOptions {
    relockTimeoutMs?: number;
}

export type CounterOptions = Record<never, never>;

export interface CounterStatistics {
    readonly value: bigint;
    readonly waiting: readonly Waiter[];
    readonly takeovers: number;
}

export class Cursor<Value, Live = Value> {
    readonly length: number;
    abstract at(index: number): Live;
    get(index: number): Value;
    set(index: number, value: Value): void;
}

export interface DeadlockedMember {
    readonly slot: number;
    readonly pid: number;
    readonly label: string;
    readonly mutex: string;
    readonly waitsFor: string;
}

export type DescriptorOptions = Pick<RegionOptions, "label" | "shared"> & WaitOptions;

export interface DiagnosticEvents {
    "shmkit:region:create": RegionEvent;
    "shmkit:region:attach": RegionEvent;
    "shmkit:region:close": RegionEvent;
    "shmkit:region:grow": {
        readonly region: string;
        readonly sizeBytes: number;
    };
    "shmkit:member:death": {
        readonly region: string;
        readonly death: MemberDeath;
    };
    "shmkit:member:recover": {
        readonly region: string;
        readonly slot: number;
        readonly durationMs: number;
    };
    "shmkit:wait:start": WaitEvent;
    "shmkit:wait:end": WaitEvent & {
        readonly waitedMs: number;
        readonly error: unknown;
    };
}

export type DiskStateName = "inOrder" | "inUse" | "unclean";

export const ERROR_CODES: {
    readonly ERR_INVALID_ARGUMENT: "an argument has the wrong type or an impossible value";
    readonly ERR_OUT_OF_RANGE: "a number lies outside its allowed range";
    readonly ERR_INVALID_NAME: "a region or object name breaks the naming rules";
    readonly ERR_INVALID_SIZE: "a size is not a whole positive number of bytes or a text such as \"64MiB\"";
    readonly ERR_UNKNOWN_OPTION: "an option does not exist; the nearest one is named";
    readonly ERR_TIMEOUT: "the deadline passed before the operation could be done";
    readonly ERR_CLOSED: "the region, object or pipe is closed";
    readonly ERR_EXISTS: "something of that name exists already";
    readonly ERR_NOT_FOUND: "nothing of that name exists";
    readonly ERR_OPTIONS_DIFFER: "the object exists with other options; the difference is named";
    readonly ERR_WRONG_KIND: "the name belongs to an object of another kind";
    readonly ERR_NO_SPACE: "the file system behind shared memory is full";
    readonly ERR_REGION_FULL: "the region has reached its maximum size";
    readonly ERR_REGION_LOST: "the region was truncated or lost its backing while attached";
    readonly ERR_MAPPING_LOST: "the mapped file was cut off while mapped, or its disk is full";
    readonly ERR_BAD_REGION: "the file is not a valid shmkit region";
    readonly ERR_READ_ONLY: "the region was opened for reading only";
    readonly ERR_UNCLEAN: "the machine went down while the region on disk was in use";
    readonly ERR_FILE_SYSTEM: "the file system cannot hold a region";
    readonly ERR_VERSION: "the region was made with another layout version";
    readonly ERR_CORRUPT: "a shared structure holds impossible values";
    readonly ERR_NOT_OWNER: "the region belongs to another user";
    readonly ERR_PERMISSION: "the operating system refused access";
    readonly ERR_TOO_MANY_MEMBERS: "every member slot of the region is taken";
    readonly ERR_MESSAGE_TOO_LARGE: "the message can never fit";
    readonly ERR_NOT_ENCODABLE: "the value cannot be encoded";
    readonly ERR_BAD_MESSAGE: "a received message cannot be decoded; its bytes are attached";
    readonly ERR_NOT_HELD: "the lock or lease is not held by the caller";
    readonly ERR_DEADLOCK: "waiting would never end: the caller holds the lock itself, or members wait for each other";
    readonly ERR_RUNTIME_LIMIT: "the JavaScript runtime cannot do that";
    readonly ERR_ADDON: "the native addon is missing or of another version";
    readonly ERR_SYSTEM: "a system call failed in an unexpected way";
};

export type ErrorCode = "ERR_ADDON" | "ERR_BAD_MESSAGE" | "ERR_BAD_REGION" | "ERR_CLOSED" | "ERR_CORRUPT" | "ERR_DEADLOCK" | "ERR_EXISTS" | "ERR_FILE_SYSTEM" | "ERR_INVALID_ARGUMENT" | "ERR_INVALID_NAME" | "ERR_INVALID_SIZE" | "ERR_MAPPING_LOST" | "ERR_MESSAGE_TOO_LARGE" | "ERR_NOT_ENCODABLE" | "ERR_NOT_FOUND" | "ERR_NOT_HELD" | "ERR_NOT_OWNER" | "ERR_NO_SPACE" | "ERR_OPTIONS_DIFFER" | "ERR_OUT_OF_RANGE" | "ERR_PERMISSION" | "ERR_READ_ONLY" | "ERR_REGION_FULL" | "ERR_REGION_LOST" | "ERR_RUNTIME_LIMIT" | "ERR_SYSTEM" | "ERR_TIMEOUT" | "ERR_TOO_MANY_MEMBERS" | "ERR_UNCLEAN" | "ERR_UNKNOWN_OPTION" | "ERR_VERSION" | "ERR_WRONG_KIND";

export interface ErrorDetails {
    readonly path?: string;
    readonly expected?: unknown;
    readonly actual?: unknown;
    readonly owner?: unknown;
    readonly errno?: number;
    readonly syscall?: string;
    readonly bytes?: Uint8Array;
    readonly cycle?: readonly DeadlockedMember[];
}

export interface EventOptions {
    manualReset?: boolean;
    set?: boolean;
}

export interface EventStatistics {
    readonly isSet: boolean;
    readonly manualReset: boolean;
    readonly waits: number;
    readonly waiting: readonly Waiter[];
}

export interface Facility {
    readonly name: FacilityName;
    readonly works: boolean;
    readonly needed: boolean;
    readonly failure?: string;
}

export type FacilityName = "O_TMPFILE" | "fallocate" | "punch hole" | "reopen through /proc" | "link through /proc" | "OFD locks" | "shared mapping" | "pinned lock" | "futex" | "thread" | "inotify" | "SharedArrayBuffer of foreign memory";

export interface FetchTransferOptions extends WaitOptions {
    onProgress?: (progress: TransferProgress) => void;
    into?: (chunk: Uint8Array, offset: number, total: number) => void | Promise<void>;
}

export interface FieldLayout {
    readonly name: string;
    readonly type: string;
    readonly offset: number;
    readonly size: number;
    readonly bits?: BitLayout;
    readonly fields?: readonly FieldLayout[];
}

export class FieldType<T> {
    abstract readonly kind: "scalar" | "text" | "bytes" | "bits" | "array" | "struct";
    abstract readonly size: number;
    abstract readonly alignment: number;
    abstract toString(): string;
}

export type Fields = Readonly<Record<string, FieldType<unknown>>>;

export class Flag {
    get value(): boolean;
    testAndSet(options?: WaitOptions): Promise<boolean>;
    testAndSetSync(options?: WaitOptions): boolean;
    set(options?: WaitOptions): Promise<void>;
    setSync(options?: WaitOptions): void;
    clear(options?: WaitOptions): Promise<void>;
    clearSync(options?: WaitOptions): void;
    waitFor(value: boolean, options?: WaitOptions): Promise<void>;
    waitForSync(value: boolean, options?: WaitOptions): void;
    statistics(): FlagStatistics;
    readonly name: string;
    get address(): string;
    detach(): void;
    [Symbol.dispose](): void;
}

export type FlagOptions = Record<never, never>;

export interface FlagStatistics {
    readonly value: boolean;
    readonly waiting: readonly Waiter[];
    readonly takeovers: number;
}

export interface HeapStatistics {
    readonly committedBytes: number;
    readonly freeBytes: number;
    readonly usedBlocks: number;
    readonly largestFreeBytes: number;
}

export interface InspectOptions {
    memory?: boolean;
}

export type Integer = number | bigint;

export type Kind = "barrier" | "composite" | "condition" | "counter" | "event" | "flag" | "latch" | "locks" | "mutex" | "once" | "pipe" | "rate-limiter" | "rwlock" | "segment-pool" | "semaphore";

export class Latch {
    get remaining(): number;
    countDown(by?: number): void;
    enrol(count?: number): void;
    wait(options?: WaitOptions): Promise<LatchResult>;
    waitSync(options?: WaitOptions): LatchResult;
    tryWait(): LatchResult | undefined;
    statistics(): LatchStatistics;
    readonly name: string;
    get address(): string;
    detach(): void;
    [Symbol.dispose](): void;
}

export interface LatchOptions {
    count?: number;
}

export interface LatchResult {
    readonly lost: readonly {
        readonly slot: number;
        readonly count: number;
    }[];
}

export interface LatchStatistics extends LatchResult {
    readonly remaining: number;
    readonly promised: readonly {
        readonly slot: number;
        readonly count: number;
    }[];
    readonly waiting: readonly Waiter[];
}

export class Lease<T> {
    readonly value: T;
    readonly sequence: number;
    readonly deliveries: number;
    ack(): void;
    nack(): void;
    get isSettled(): boolean;
    [Symbol.dispose](): void;
}

export type LifetimeName = "process" | "kernel" | "file" | "anonymous";

export type LiveField<T extends FieldType<unknown>> = T extends Struct<infer F> ? LiveRecord<F> : T extends ArrayType<infer E> ? Cursor<StructOf<E>, LiveField<E>> : StructOf<T>;

export type LiveRecord<F extends Fields> = {
    -readonly [K in keyof F as F[K]["kind"] extends "struct" | "bits" | "array" ? never : K]: StructOf<F[K]>;
} & {
    readonly [K in keyof F as F[K]["kind"] extends "struct" | "bits" | "array" ? K : never]: LiveField<F[K]>;
};

export class Lock {
    #private;
    get name(): string;
    get mode(): LockMode;
}

export interface LockEntry {
    readonly name: string;
    readonly mode: "exclusive" | "shared";
    readonly slot: number;
    readonly requestedAt: Date;
    readonly since: Date;
}

export type LockGrantedCallback<T> = (lock: Lock | null) => T;

export interface LockInfo {
    name: string;
    mode: LockMode;
    clientId: string;
}

export class LockManager {
    #private;
    request<T>(name: string, callback: LockGrantedCallback<T>): Promise<Awaited<T>>;
    request<T>(name: string, options: LockRequestOptions, callback: LockGrantedCallback<T>): Promise<Awaited<T>>;
    query(): Promise<LockManagerSnapshot>;
}

export interface LockManagerSnapshot {
    held: LockInfo[];
    pending: LockInfo[];
}

export type LockMode = "exclusive" | "shared";

export interface LockOptions extends WaitOptions {
    detectDeadlock?: boolean;
}

export interface LockRequestOptions {
    mode?: LockMode;
    ifAvailable?: boolean;
    steal?: boolean;
    signal?: AbortSignal;
    timeoutMs?: number;
}

export interface LocksStatistics {
    readonly held: readonly LockEntry[];
    readonly pending: readonly LockEntry[];
}

export type MapAccess = "read-write" | "read" | "write" | "copy-on-write" | "read-execute" | "read-write-execute";

export interface MapBlockOptions extends MapOptions {
    delayAllocatePages?: boolean;
}

export type MapFile = string | URL | number | FileHandle;

export type MapFileMode = "open" | "create-new" | "open-or-create" | "create";

export interface MapFileOptions extends MapBlockOptions {
    mode?: MapFileMode;
    capacity?: number;
}

export interface MapOptions extends WaitOptions {
    access?: Exclude<MapAccess, "write">;
}

export class MappedStream {
    readonly view: MappedView;
    get length(): number;
    get position(): number;
    set position(value: number);
    read(target: Uint8Array): number;
    write(bytes: Uint8Array): void;
    readable(): ReadableStream<Uint8Array>;
    writable(): WritableStream<Uint8Array>;
    nodeReadable(): Readable;
    nodeWritable(): Writable;
    close(): void;
    [Symbol.dispose](): void;
}

export class MappedView {
    readonly capacity: number;
    readonly access: MapAccess;
    readonly pointerOffset: number;
    readonly bytes: Uint8Array;
    check(): void;
    readBoolean(position: number): boolean;
    writeBoolean(position: number, value: boolean): void;
    readInt8(position: number): number;
    writeInt8(position: number, value: number): void;
    readUint8(position: number): number;
    writeUint8(position: number, value: number): void;
    readInt16(position: number): number;
    writeInt16(position: number, value: number): void;
    readUint16(position: number): number;
    writeUint16(position: number, value: number): void;
    readInt32(position: number): number;
    writeInt32(position: number, value: number): void;
    readUint32(position: number): number;
    writeUint32(position: number, value: number): void;
    readInt64(position: number): bigint;
    writeInt64(position: number, value: bigint): void;
    readUint64(position: number): bigint;
    writeUint64(position: number, value: bigint): void;
    readFloat32(position: number): number;
    writeFloat32(position: number, value: number): void;
    readFloat64(position: number): number;
    writeFloat64(position: number, value: number): void;
    readChar(position: number): string;
    writeChar(position: number, value: string): void;
    read<T extends FieldType<unknown>>(type: T, position: number): StructOf<T>;
    write<T extends FieldType<unknown>>(type: T, position: number, value: StructOf<T>): void;
    readArray<T extends FieldType<unknown>>(type: T, position: number, target: StructOf<T>[], offset?: number, count?: number): number;
    writeArray<T extends FieldType<unknown>>(type: T, position: number, values: ArrayLike<StructOf<T>>, offset?: number, count?: number): void;
    readBytes(position: number, target: Uint8Array): number;
    writeBytes(position: number, bytes: Uint8Array): void;
    cursor<F extends Fields>(struct: Struct<F>, position?: number, length?: number): Cursor<ValuesOf<F>, LiveRecord<F>>;
    flush(): Promise<void>;
    flushSync(): void;
    close(): void;
    [Symbol.dispose](): void;
}

export interface MemberDeath {
    readonly slot: number;
    readonly generation: number;
    readonly pid: number;
    readonly threadId: number;
    readonly label: string;
    readonly noticedAt: Date;
    readonly operation: OperationName;
    readonly object: string | undefined;
    readonly interrupted: boolean;
    readonly committed: boolean;
}

export interface MemberInfo {
    readonly slot: number;
    readonly generation: number;
    readonly pid: number;
    readonly threadId: number;
    readonly label: string;
    readonly joinedAt: Date;
    readonly alive: boolean;
    readonly operation: OperationName;
}

export type MemoryLike = ArrayBufferLike | ArrayBufferView;

export class MemoryMappedFile {
    get capacity(): number;
    readonly name: string | undefined;
    readonly path: string;
    readonly access: MapAccess;
    static createFromFile(file: MapFile, options?: MapFileOptions): Promise<MemoryMappedFile>;
    static createFromFileSync(file: MapFile, options?: MapFileOptions): MemoryMappedFile;
    static createNew(name: string, capacity: number, options?: MapBlockOptions): Promise<MemoryMappedFile>;
    static createNewSync(name: string, capacity: number, options?: MapBlockOptions): MemoryMappedFile;
    static createOrOpen(name: string, capacity: number, options?: MapBlockOptions): Promise<MemoryMappedFile>;
    static createOrOpenSync(name: string, capacity: number, options?: MapBlockOptions): MemoryMappedFile;
    static openExisting(name: string, options?: MapOptions): Promise<MemoryMappedFile>;
    static openExistingSync(name: string, options?: MapOptions): MemoryMappedFile;
    static clean(): string[];
    createViewAccessor(offset?: number, size?: number, access?: MapAccess): MappedView;
    createViewStream(offset?: number, size?: number, access?: MapAccess): MappedStream;
    grow(capacity: number): Promise<void>;
    growSync(capacity: number): void;
    close(): void;
    [Symbol.dispose](): void;
}

export interface MemoryRange {
    readonly offsetBytes: number;
    readonly lengthBytes: number;
    readonly use: MemoryUse;
    readonly runs: number;
    readonly object?: string;
    readonly ownerSlot?: number;
}

export type MemoryUse = "header" | "members" | "deaths" | "pageMap" | "directory" | "object" | "block" | "free" | "reserved";

export interface MessageCodec<T = unknown> {
    encode(message: T): Uint8Array;
    decode(bytes: Uint8Array): T;
}

export class Mutex {
    lock(options?: LockOptions): Promise<MutexGuard>;
    lockSync(options?: LockOptions): MutexGuard;
    tryLock(): MutexGuard | undefined;
    run<T>(callback: (guard: MutexGuard) => T | PromiseLike<T>, options?: LockOptions): Promise<T>;
    runSync<T>(callback: (guard: MutexGuard) => T, options?: LockOptions): T;
    get ownerSlot(): number | undefined;
    get takeovers(): number;
    statistics(): MutexStatistics;
    get wordCount(): number;
    readonly name: string;
    get address(): string;
    detach(): void;
    [Symbol.dispose](): void;
}

export class MutexGuard {
    get abandoned(): boolean;
    get(index: number): number;
    set(index: number, value: number): void;
    commit(): void;
    rollback(): void;
    release(): void;
    [Symbol.dispose](): void;
}

export interface MutexOptions {
    words?: number;
    reentrant?: boolean;
    detectDeadlock?: boolean;
}

export interface MutexStatistics {
    readonly ownerSlot: number | undefined;
    readonly heldSince: Date | undefined;
    readonly waiting: readonly Waiter[];
    readonly acquisitions: number;
    readonly contended: number;
    readonly takeovers: number;
}

export interface NamedStruct {
    readonly struct: Struct;
    readonly name?: string | undefined;
}

export interface ObjectInfo extends ObjectFacts {
    readonly name: string;
    readonly kind: Kind;
    readonly createdAt: Date;
    readonly offsetBytes: number;
    readonly lengthBytes: number;
}

export class Once {
    get isDone(): boolean;
    run(initialise: (abandoned: boolean) => OnceResult | Promise<OnceResult>, options?: WaitOptions): Promise<OnceResult>;
    runSync(initialise: (abandoned: boolean) => OnceResult, options?: WaitOptions): OnceResult;
    tryRun(initialise: (abandoned: boolean) => OnceResult): OnceTried | undefined;
    statistics(): OnceStatistics;
    readonly name: string;
    get address(): string;
    detach(): void;
    [Symbol.dispose](): void;
}

export type OnceOptions = Record<never, never>;

export type OnceResult = Uint8Array | undefined;

export interface OnceStatistics {
    readonly isDone: boolean;
    readonly runner?: number;
    readonly since?: Date;
    readonly waiting: readonly Waiter[];
    readonly takeovers: number;
}

export interface OnceTried {
    readonly done: OnceResult;
}

export interface OpenOptions extends WaitOptions {
    wait?: boolean;
}

export type OperationName = "barrier.arrive" | "barrier.enrol" | "condition.notify" | "condition.wait" | "counter.update" | "event.reset" | "event.set" | "event.wait" | "flag.update" | "heap.allocate" | "latch.count-down" | "latch.enrol" | "locks.release" | "locks.request" | "mutex.lock" | "mutex.unlock" | "none" | "object.create" | "object.detach" | "object.open" | "object.remove" | "once.begin" | "once.finish" | "pipe.ack" | "pipe.close" | "pipe.lease" | "pipe.lease-returned" | "pipe.nack" | "pipe.receive" | "pipe.receive-returned" | "pipe.send" | "rate-limiter.take" | "rwlock.lock" | "rwlock.unlock" | "segment-pool.acquire" | "segment-pool.hand-over" | "segment-pool.release" | "segment-pool.take-over" | "semaphore.acquire" | "semaphore.post" | "semaphore.release" | "semaphore.wait";

export class Part<out O extends PartObject> {
    readonly kind: Kind;
    readonly object?: O;
}

export type PartObject = Barrier | Condition | Counter | Flag | Latch | Mutex | Once | RateLimiter | RwLock | Semaphore | SharedEvent;

export type PartPlans = Readonly<Record<string, Part<PartObject>>>;

export type PartsOf<P extends PartPlans> = {
    readonly [Name in keyof P]: P[Name] extends Part<infer O> ? O : never;
};

export class Pipe<T = unknown> {
    get capacity(): number;
    send(message: T, options?: WaitOptions): Promise<void>;
    trySend(message: T): boolean;
    sendSync(message: T, options?: WaitOptions): void;
    sendBytesSync(bytes: Uint8Array, options?: WaitOptions): void;
    receive(options: ReceiveOptions & {
    lease: true;
}): Promise<Lease<T>>;
    receive(options?: ReceiveOptions): Promise<T>;
    tryReceive(options: {
    lease: true;
}): Lease<T> | undefined;
    tryReceive(options?: {
    lease?: false;
}): T | undefined;
    receiveSync(options: ReceiveOptions & {
    lease: true;
}): Lease<T>;
    receiveSync(options?: ReceiveOptions): T;
    receiveInto(target: Uint8Array, options?: WaitOptions): Promise<number>;
    receiveIntoSync(target: Uint8Array, options?: WaitOptions): number;
    [Symbol.asyncIterator](): AsyncGenerator<T, void, void>;
    messages(options: ReceiveOptions & {
    lease: true;
}): AsyncGenerator<Lease<T>, void, void>;
    messages(options?: ReceiveOptions): AsyncGenerator<T, void, void>;
    readable(options: PipeReadableOptions & {
    mode: "bytes";
}): ReadableStream<Uint8Array>;
    readable(options?: PipeReadableOptions): ReadableStream<T>;
    writable(options: PipeWritableOptions & {
    mode: "bytes";
}): WritableStream<ArrayBufferView | ArrayBuffer>;
    writable(options?: PipeWritableOptions): WritableStream<T>;
    nodeReadable(options?: PipeReadableOptions): Readable;
    nodeWritable(options?: PipeWritableOptions): Writable;
    process(work: (message: T, lease: Lease<T>) => unknown, options?: ProcessOptions): Promise<number>;
    close(options?: WaitOptions): Promise<void>;
    closeSync(options?: WaitOptions): void;
    get isClosed(): boolean;
    drain(options?: WaitOptions): Promise<void>;
    drainSync(options?: WaitOptions): void;
    statistics(): PipeStatistics;
    readonly name: string;
    get address(): string;
    detach(): void;
    [Symbol.dispose](): void;
}

export interface PipeCollection extends Collection<PipeOptions, Pipe> {
    create<T = unknown>(name: string, options?: PipeOptions & PipeHandleOptions<T> & WaitOptions): Promise<Pipe<T>>;
    createSync<T = unknown>(name: string, options?: PipeOptions & PipeHandleOptions<T> & WaitOptions): Pipe<T>;
    open<T = unknown>(name: string, options?: PipeHandleOptions<T> & OpenOptions): Promise<Pipe<T>>;
    openSync<T = unknown>(name: string, options?: PipeHandleOptions<T> & OpenOptions): Pipe<T>;
    openOrCreate<T = unknown>(name: string, options?: PipeOptions & PipeHandleOptions<T> & WaitOptions): Promise<Pipe<T>>;
    openOrCreateSync<T = unknown>(name: string, options?: PipeOptions & PipeHandleOptions<T> & WaitOptions): Pipe<T>;
}

export interface PipeHandleOptions<T = unknown> {
    codec?: MessageCodec<T>;
}

export interface PipeOptions {
    capacity?: number;
    maxLeased?: number;
}

export interface PipeReadableOptions {
    mode?: StreamMode;
    highWaterMark?: number;
    signal?: AbortSignal;
}

export interface PipeStatistics {
    readonly depth: number;
    readonly capacity: number;
    readonly sent: number;
    readonly received: number;
    readonly sentBytes: number;
    readonly receivedBytes: number;
    readonly redelivered: number;
    readonly leased: number;
    readonly highWater: number;
    readonly waitingSenders: number;
    readonly waitingReceivers: number;
    readonly closed: boolean;
}

export interface PipeWritableOptions {
    mode?: StreamMode;
    highWaterMark?: number;
    maxMessageBytes?: number;
    closePipe?: boolean;
    signal?: AbortSignal;
}

export class PooledSegment {
    readonly id: number;
    get bytes(): Uint8Array;
    release(): void;
    handOver(): SegmentTicket;
    [Symbol.dispose](): void;
}

export interface ProcessOptions {
    concurrency?: number;
    signal?: AbortSignal;
}

export class RateLimiter {
    take(count?: number, options?: WaitOptions): Promise<void>;
    takeSync(count?: number, options?: WaitOptions): void;
    tryTake(count?: number): boolean;
    statistics(): RateLimiterStatistics;
    readonly name: string;
    get address(): string;
    detach(): void;
    [Symbol.dispose](): void;
}

export interface RateLimiterOptions {
    tokens?: number;
    intervalMs?: number;
    burst?: number;
}

export interface RateLimiterStatistics {
    readonly available: number;
    readonly tokens: number;
    readonly intervalMs: number;
    readonly burst: number;
    readonly taken: number;
    readonly waiting: readonly Waiter[];
}

export interface ReaderOptions extends Pick<RegionOpenOptions, "lifetime" | "allowOtherUser" | "wait">, WaitOptions {
    access: "read";
}

export interface ReceiveOptions extends WaitOptions {
    lease?: boolean;
}

export class Region extends EventEmitter<RegionEvents> implements AsyncDisposable {
    readonly path: string;
    readonly lifetime: LifetimeName;
    readonly createdAt: Date;
    readonly epoch: string;
    readonly created: boolean;
    static create(name: string, options?: RegionOptions): Promise<Region>;
    static createSync(name: string, options?: RegionOptions): Region;
    static open(name: string, options?: RegionOpenOptions): Promise<Region>;
    static open(name: string, options: ReaderOptions): Promise<RegionReader>;
    static openSync(name: string, options?: RegionOpenOptions): Region;
    static openSync(name: string, options: ReaderOptions): RegionReader;
    static openOrCreate(name: string, options?: RegionOptions): Promise<Region>;
    static openOrCreateSync(name: string, options?: RegionOptions): Region;
    static anonymous(options?: AnonymousOptions): Promise<Region>;
    static anonymousSync(options?: AnonymousOptions): Region;
    static fromDescriptor(fd: number, options?: DescriptorOptions): Promise<Region>;
    static fromDescriptorSync(fd: number, options?: DescriptorOptions): Region;
    static remove(name: string, options?: WaitOptions): Promise<boolean>;
    static removeSync(name: string, options?: WaitOptions): boolean;
    static list(): Promise<RegionInfo[]>;
    static listSync(): RegionInfo[];
    static inspect(name: string, options?: InspectOptions): RegionInfo | undefined;
    static clean(options?: CleanOptions): Promise<string[]>;
    static cleanSync(options?: CleanOptions): string[];
    get fd(): number;
    get sizeBytes(): number;
    get maxSizeBytes(): number;
    get slot(): number;
    statistics(): HeapStatistics;
    members(): MemberInfo[];
    get buffer(): ArrayBuffer | SharedArrayBuffer;
    grow(size: Size, options?: WaitOptions): Promise<void>;
    growSync(size: Size, options?: WaitOptions): void;
    flush(): Promise<void>;
    flushSync(): void;
    get unclean(): boolean;
    markClean(): void;
    unref(): this;
    ref(): this;
    hasRef(): boolean;
    recoverTheDead(): boolean;
    close(): Promise<void>;
    closeSync(): void;
    [Symbol.asyncDispose](): Promise<void>;
    readonly name: string;
    readonly pipes: PipeCollection;
    readonly counters: Collection<CounterOptions, Counter>;
    readonly mutexes: Collection<MutexOptions, Mutex>;
    readonly semaphores: Collection<SemaphoreOptions, Semaphore>;
    readonly conditions: Collection<ConditionOptions, Condition>;
    readonly rwlocks: Collection<RwLockOptions, RwLock>;
    readonly locks: LockManager;
    readonly events: Collection<EventOptions, SharedEvent>;
    readonly barriers: Collection<BarrierOptions, Barrier>;
    readonly latches: Collection<LatchOptions, Latch>;
    readonly onces: Collection<OnceOptions, Once>;
    readonly flags: Collection<FlagOptions, Flag>;
    readonly rateLimiters: Collection<RateLimiterOptions, RateLimiter>;
    readonly segmentPools: Collection<SegmentPoolOptions, SegmentPool>;
    readonly composites: CompositeCollection;
    pipe<T = unknown>(name: string, options?: PipeOptions & PipeHandleOptions<T> & WaitOptions): Promise<Pipe<T>>;
    pipeSync<T = unknown>(name: string, options?: PipeOptions & PipeHandleOptions<T> & WaitOptions): Pipe<T>;
    counter(name: string, options?: WaitOptions): Promise<Counter>;
    counterSync(name: string, options?: WaitOptions): Counter;
    mutex(name: string, options?: MutexOptions & WaitOptions): Promise<Mutex>;
    mutexSync(name: string, options?: MutexOptions & WaitOptions): Mutex;
    semaphore(name: string, options?: SemaphoreOptions & WaitOptions): Promise<Semaphore>;
    semaphoreSync(name: string, options?: SemaphoreOptions & WaitOptions): Semaphore;
    condition(name: string, options?: WaitOptions): Promise<Condition>;
    conditionSync(name: string, options?: WaitOptions): Condition;
    rateLimiter(name: string, options?: RateLimiterOptions & WaitOptions): Promise<RateLimiter>;
    rateLimiterSync(name: string, options?: RateLimiterOptions & WaitOptions): RateLimiter;
    segmentPool(name: string, options?: SegmentPoolOptions & WaitOptions): Promise<SegmentPool>;
    segmentPoolSync(name: string, options?: SegmentPoolOptions & WaitOptions): SegmentPool;
    rwlock(name: string, options?: WaitOptions): Promise<RwLock>;
    rwlockSync(name: string, options?: WaitOptions): RwLock;
    event(name: string, options?: EventOptions & WaitOptions): Promise<SharedEvent>;
    eventSync(name: string, options?: EventOptions & WaitOptions): SharedEvent;
    barrier(name: string, options?: BarrierOptions & WaitOptions): Promise<Barrier>;
    barrierSync(name: string, options?: BarrierOptions & WaitOptions): Barrier;
    latch(name: string, options?: LatchOptions & WaitOptions): Promise<Latch>;
    latchSync(name: string, options?: LatchOptions & WaitOptions): Latch;
    doOnce(name: string, options?: WaitOptions): Promise<Once>;
    doOnceSync(name: string, options?: WaitOptions): Once;
    flag(name: string, options?: WaitOptions): Promise<Flag>;
    flagSync(name: string, options?: WaitOptions): Flag;
    composite<P extends PartPlans>(name: string, parts: P, options?: WaitOptions): Promise<Composite<P>>;
    compositeSync<P extends PartPlans>(name: string, parts: P, options?: WaitOptions): Composite<P>;
}

export interface RegionEvent {
    readonly region: string;
    readonly path: string;
    readonly epoch: string;
    readonly slot: number;
}

export interface RegionEvents {
    memberDied: [
        death: MemberDeath
    ];
}

export interface RegionInfo {
    readonly name: string;
    readonly path: string;
    readonly uid: number;
    readonly mode: number;
    readonly lifetime: LifetimeName;
    readonly disk?: DiskStateName;
    readonly createdAt: Date;
    readonly epoch: string;
    readonly sizeBytes: number;
    readonly maxSizeBytes: number;
    readonly heap: HeapStatistics;
    readonly members: readonly MemberInfo[];
    readonly objects: readonly ObjectInfo[];
    readonly memory?: readonly MemoryRange[];
}

export interface RegionOpenOptions extends RegionOptions {
    wait?: boolean;
    access?: "write";
}

export interface RegionOptions extends WaitOptions {
    size?: Size;
    maxSize?: Size;
    mode?: number;
    group?: number;
    maxMembers?: number;
    lifetime?: Exclude<LifetimeName, "anonymous">;
    label?: string;
    shared?: boolean;
    allowOtherUser?: boolean;
    refuseUnclean?: boolean;
}

export class RegionReader implements Disposable {
    readonly name: string;
    readonly path: string;
    readonly lifetime: LifetimeName;
    readonly createdAt: Date;
    readonly epoch: string;
    get sizeBytes(): number;
    statistics(): HeapStatistics;
    members(): MemberInfo[];
    object(name: string): ObjectInfo | undefined;
    info(options?: InspectOptions): RegionInfo;
    get ended(): boolean;
    get buffer(): ArrayBufferLike;
    close(): void;
    [Symbol.dispose](): void;
}

export class RwLock {
    lockShared(options?: LockOptions): Promise<RwLockGuard>;
    lockSharedSync(options?: LockOptions): RwLockGuard;
    tryLockShared(): RwLockGuard | undefined;
    lock(options?: LockOptions): Promise<RwLockGuard>;
    lockSync(options?: LockOptions): RwLockGuard;
    tryLock(): RwLockGuard | undefined;
    lockUpgradable(options?: LockOptions): Promise<RwLockGuard>;
    lockUpgradableSync(options?: LockOptions): RwLockGuard;
    tryLockUpgradable(): RwLockGuard | undefined;
    run<T>(callback: (guard: RwLockGuard) => T | PromiseLike<T>, options?: LockOptions): Promise<T>;
    runSync<T>(callback: (guard: RwLockGuard) => T, options?: LockOptions): T;
    runShared<T>(callback: (guard: RwLockGuard) => T | PromiseLike<T>, options?: LockOptions): Promise<T>;
    runSharedSync<T>(callback: (guard: RwLockGuard) => T, options?: LockOptions): T;
    runUpgradable<T>(callback: (guard: RwLockGuard) => T | PromiseLike<T>, options?: LockOptions): Promise<T>;
    runUpgradableSync<T>(callback: (guard: RwLockGuard) => T, options?: LockOptions): T;
    statistics(): RwLockStatistics;
    readonly name: string;
    get address(): string;
    detach(): void;
    [Symbol.dispose](): void;
}

export class RwLockGuard {
    get mode(): RwLockMode | undefined;
    get abandoned(): boolean;
    release(): void;
    [Symbol.dispose](): void;
    upgrade(options?: LockOptions): Promise<void>;
    upgradeSync(options?: LockOptions): void;
    tryUpgrade(): boolean;
    downgrade(to?: "shared" | "upgradable"): void;
}

export type RwLockMode = "shared" | "upgradable" | "exclusive";

export type RwLockOptions = Record<never, never>;

export interface RwLockReader {
    readonly slot: number;
    readonly count: number;
    readonly since?: Date;
}

export interface RwLockStatistics {
    readonly readers: readonly RwLockReader[];
    readonly writer: number | undefined;
    readonly owner: number | undefined;
    readonly heldSince: Date | undefined;
    readonly waitingWriters: readonly Waiter[];
    readonly waitingReaders: readonly Waiter[];
    readonly contended: number;
    readonly takeovers: number;
}

export class ScalarType<T extends number | bigint | boolean> extends FieldType<T> {
    readonly kind = "scalar";
    readonly size: number;
    readonly alignment: number;
    toString(): string;
}

export class SegmentPool {
    get segments(): number;
    get segmentBytes(): number;
    acquire(options?: WaitOptions): Promise<PooledSegment>;
    acquireSync(options?: WaitOptions): PooledSegment;
    tryAcquire(): PooledSegment | undefined;
    takeOver(ticket: SegmentTicket): PooledSegment;
    takeBack(ticket: SegmentTicket, options?: WaitOptions): Promise<PooledSegment>;
    takeBackSync(ticket: SegmentTicket, options?: WaitOptions): PooledSegment;
    abandon(ticket: SegmentTicket): void;
    statistics(): SegmentPoolStatistics;
    readonly name: string;
    get address(): string;
    detach(): void;
    [Symbol.dispose](): void;
}

export interface SegmentPoolOptions {
    segments?: number;
    segmentBytes?: Size;
}

export interface SegmentPoolStatistics {
    readonly segments: number;
    readonly segmentBytes: number;
    readonly free: number;
    readonly held: readonly {
        readonly slot: number;
        readonly segments: readonly number[];
        readonly since?: Date;
    }[];
    readonly handedOver: readonly number[];
    readonly waiting: readonly Waiter[];
    readonly takingBack: readonly Waiter[];
    readonly acquired: number;
    readonly recovered: number;
    readonly contended: number;
}

export interface SegmentTicket {
    readonly pool: number;
    readonly id: number;
    readonly generation: number;
}

export type Selected<Pipes extends readonly Pipe[], Leasing extends boolean = false> = {
    readonly [Key in keyof Pipes]: {
        readonly index: IndexOf<Key>;
        readonly pipe: Pipes[Key];
        readonly value: Leasing extends true ? Lease<MessageOf<Pipes[Key]>> : MessageOf<Pipes[Key]>;
    };
}[number];

export class Semaphore {
    acquire(options?: AcquireOptions): Promise<SemaphoreLease>;
    acquireSync(options?: AcquireOptions): SemaphoreLease;
    tryAcquire(options?: {
    permits?: number;
}): SemaphoreLease | undefined;
    run<T>(callback: (lease: SemaphoreLease) => T | PromiseLike<T>, options?: AcquireOptions): Promise<T>;
    runSync<T>(callback: (lease: SemaphoreLease) => T, options?: AcquireOptions): T;
    wait(options?: WaitOptions & {
    permits?: number;
}): Promise<void>;
    waitSync(options?: WaitOptions & {
    permits?: number;
}): void;
    tryWait(options?: {
    permits?: number;
}): boolean;
    post(permits?: number): void;
    get available(): number;
    statistics(): SemaphoreStatistics;
    readonly name: string;
    get address(): string;
    detach(): void;
    [Symbol.dispose](): void;
}

export class SemaphoreLease {
    readonly permits: number;
    release(): void;
    [Symbol.dispose](): void;
}

export interface SemaphoreOptions {
    permits?: number;
}

export interface SemaphoreStatistics {
    readonly available: number;
    readonly held: readonly {
        readonly slot: number;
        readonly permits: number;
        readonly since?: Date;
    }[];
    readonly waiting: readonly Waiter[];
    readonly contended: number;
}

export interface ServeTransfersOptions extends ProcessOptions {
    roundTimeoutMs?: number;
}

export class ShareableList implements Iterable<ShareableValue>, Disposable {
    readonly memory: SharedMemory;
    readonly length: number;
    static create(values: Iterable<ShareableValue>, name?: string): Promise<ShareableList>;
    static createSync(values: Iterable<ShareableValue>, name?: string): ShareableList;
    static open(name: string): Promise<ShareableList>;
    static openSync(name: string): ShareableList;
    get(index: number): ShareableValue;
    set(index: number, value: ShareableValue): void;
    [Symbol.iterator](): Iterator<ShareableValue>;
    close(): void;
    [Symbol.dispose](): void;
}

export type ShareableValue = number | bigint | boolean | string | Uint8Array | null;

export class SharedEvent {
    readonly manualReset: boolean;
    get isSet(): boolean;
    set(): void;
    reset(options?: WaitOptions): Promise<void>;
    resetSync(options?: WaitOptions): void;
    tryReset(): boolean;
    wait(options?: WaitOptions): Promise<void>;
    waitSync(options?: WaitOptions): void;
    tryWait(): boolean;
    statistics(): EventStatistics;
    readonly name: string;
    get address(): string;
    detach(): void;
    [Symbol.dispose](): void;
}

export class SharedMemory implements Disposable {
    readonly name: string;
    readonly size: number;
    readonly buffer: ArrayBuffer | SharedArrayBuffer;
    readonly created: boolean;
    readonly readOnly: boolean;
    readonly path: string;
    static create(name: string | undefined, options: SharedMemoryOptions): Promise<SharedMemory>;
    static createSync(name: string | undefined, options: SharedMemoryOptions): SharedMemory;
    static open(name: string, options?: SharedMemoryOpenOptions): Promise<SharedMemory>;
    static openSync(name: string, options?: SharedMemoryOpenOptions): SharedMemory;
    static openOrCreate(name: string, options: SharedMemoryOptions): Promise<SharedMemory>;
    static openOrCreateSync(name: string, options: SharedMemoryOptions): SharedMemory;
    get attachCount(): number;
    get isLost(): boolean;
    lock(options?: WaitOptions): Promise<SharedMemoryLock>;
    lockSync(options?: WaitOptions): SharedMemoryLock;
    tryLock(): SharedMemoryLock | undefined;
    close(): void;
    unlink(): boolean;
    [Symbol.dispose](): void;
}

export class SharedMemoryLock {
    get released(): boolean;
    release(): void;
    [Symbol.dispose](): void;
}

export interface SharedMemoryOpenOptions {
    readOnly?: boolean;
    shared?: boolean;
}

export interface SharedMemoryOptions {
    size: Size;
    mode?: number;
    shared?: boolean;
}

export class ShmkitError extends Error {
    readonly code: ErrorCode;
    readonly path?: string;
    readonly expected?: unknown;
    readonly actual?: unknown;
    readonly owner?: unknown;
    readonly errno?: number;
    readonly syscall?: string;
    readonly bytes?: Uint8Array;
    readonly cycle?: readonly DeadlockedMember[];
    constructor(code: ErrorCode, message: string, details?: ErrorDetails & {
    cause?: unknown;
});
    static [Symbol.hasInstance](value: unknown): boolean;
}

export type Size = number | string;

export type StreamMode = "values" | "bytes";

export class Struct<F extends Fields = Fields> extends FieldType<ValuesOf<F>> {
    readonly kind = "struct";
    readonly name: string;
    readonly fields: F;
    readonly size: number;
    readonly alignment: number;
    readonly endian: "little" | "big";
    toString(): string;
    offsetOf(field: string): number;
    read(memory: MemoryLike, offset?: number): ValuesOf<F>;
    write(memory: MemoryLike, offset: number, value: ValuesOf<F>): void;
    readArray(memory: MemoryLike, offset: number, count: number): ValuesOf<F>[];
    writeArray(memory: MemoryLike, offset: number, values: readonly ValuesOf<F>[]): void;
    cursor(memory: MemoryLike, offset?: number, length?: number): Cursor<ValuesOf<F>, LiveRecord<F>>;
    atomics(memory: MemoryLike, offset?: number): StructAtomics<F>;
    encode(value: ValuesOf<F>): Uint8Array;
    decode(bytes: Uint8Array): ValuesOf<F>;
    layout(): StructLayout;
    toC(name?: string, others?: readonly NamedStruct[]): string;
    toPython(name?: string, others?: readonly NamedStruct[]): string;
}

export class StructAtomics<F extends Fields> {
    load<K extends AtomicField<F>>(field: K): AtomicValue<F[K]>;
    store<K extends AtomicField<F>>(field: K, value: AtomicValue<F[K]>): void;
    add<K extends AtomicField<F>>(field: K, value: AtomicValue<F[K]>): AtomicValue<F[K]>;
    sub<K extends AtomicField<F>>(field: K, value: AtomicValue<F[K]>): AtomicValue<F[K]>;
    and<K extends AtomicField<F>>(field: K, value: AtomicValue<F[K]>): AtomicValue<F[K]>;
    or<K extends AtomicField<F>>(field: K, value: AtomicValue<F[K]>): AtomicValue<F[K]>;
    xor<K extends AtomicField<F>>(field: K, value: AtomicValue<F[K]>): AtomicValue<F[K]>;
    exchange<K extends AtomicField<F>>(field: K, value: AtomicValue<F[K]>): AtomicValue<F[K]>;
    compareExchange<K extends AtomicField<F>>(field: K, expected: AtomicValue<F[K]>, replacement: AtomicValue<F[K]>): AtomicValue<F[K]>;
}

export interface StructLayout {
    readonly name: string;
    readonly size: number;
    readonly alignment: number;
    readonly endian: "little" | "big";
    readonly fields: readonly FieldLayout[];
}

export type StructOf<S extends FieldType<unknown>> = S extends FieldType<infer T> ? T : never;

export interface StructOptions {
    name?: string;
    pack?: 1 | 2 | 4 | 8 | 16;
    align?: number;
    endian?: "little" | "big";
}

export interface SystemReport {
    readonly addon: {
        readonly path: string;
        readonly abi: number;
        readonly libc: "glibc" | "musl";
    };
    readonly facilities: readonly Facility[];
}

export class SystemSemaphore implements Disposable {
    readonly name: string;
    readonly path: string;
    static create(name: string, options?: SystemSemaphoreOptions): SystemSemaphore;
    static open(name: string): SystemSemaphore;
    static openOrCreate(name: string, options?: SystemSemaphoreOptions): SystemSemaphore;
    static replace(name: string, options?: SystemSemaphoreOptions): SystemSemaphore;
    get value(): number;
    acquire(options?: WaitOptions): Promise<void>;
    acquireSync(options?: WaitOptions): void;
    tryAcquire(): boolean;
    release(count?: number): void;
    close(): void;
    unlink(): boolean;
    [Symbol.dispose](): void;
}

export interface SystemSemaphoreOptions {
    initial?: number;
    mode?: number;
}

export interface TextOptions {
    terminated?: boolean;
}

export class TextType extends FieldType<string> {
    readonly kind = "text";
    readonly size: number;
    readonly alignment = 1;
    toString(): string;
}

export interface Transfer extends TransferProgress {
    readonly status: TransferStatus;
    readonly bytes: Uint8Array;
    readonly reason?: string;
}

export type TransferFinder = (key: string) => Uint8Array | TransferSource | undefined | Promise<Uint8Array | TransferSource | undefined>;

export interface TransferProgress {
    readonly received: number;
    readonly total: number;
    readonly rounds: number;
}

export interface TransferRequest {
    readonly key: string;
    readonly segment: SegmentTicket;
}

export interface TransferSource {
    readonly length: number;
    read(target: Uint8Array, offset: number): number | Promise<number>;
    close?(): void | Promise<void>;
}

export type TransferStatus = "ok" | "not-found" | "failed";

export type ValuesOf<F extends Fields> = {
    -readonly [K in keyof F]: StructOf<F[K]>;
};

export interface WaitEvent {
    readonly region: string;
    readonly id: number;
    readonly what: string;
    readonly sync: boolean;
}

export interface WaitOptions {
    timeoutMs?: number;
    signal?: AbortSignal;
}

export interface Waiter {
    readonly slot: number;
    readonly since: Date;
}

export function array<E extends FieldType<unknown>>(type: E, length: number): ArrayType<E>;

export function bits<Name extends string>(widths: Readonly<Record<Name, number>>, unit: ScalarType<number>): BitFields<Name>;

export const bool: ScalarType<boolean>;

export const bytes: (size: number) => BytesType;

export function fetchTransfer(pool: SegmentPool, requests: Pipe<TransferRequest>, key: string, options?: FetchTransferOptions): Promise<Transfer>;

export const float16: ScalarType<number>;

export const float32: ScalarType<number>;

export const float64: ScalarType<number>;

export const int16: ScalarType<number>;

export const int32: ScalarType<number>;

export const int64: ScalarType<bigint>;

export const int8: ScalarType<number>;

export function open(name: string, options?: RegionOptions): Promise<Region>;

export const part: {
    readonly mutex: (options?: MutexOptions) => Part<Mutex>;
    readonly semaphore: (options?: SemaphoreOptions) => Part<Semaphore>;
    readonly condition: () => Part<Condition>;
    readonly rwlock: () => Part<RwLock>;
    readonly event: (options?: EventOptions) => Part<SharedEvent>;
    readonly barrier: (options?: BarrierOptions) => Part<Barrier>;
    readonly latch: (options?: LatchOptions) => Part<Latch>;
    readonly once: () => Part<Once>;
    readonly flag: () => Part<Flag>;
    readonly counter: () => Part<Counter>;
    readonly rateLimiter: (options?: RateLimiterOptions) => Part<RateLimiter>;
};

export function probeSystem(): Promise<SystemReport>;

export function select<const Pipes extends readonly Pipe[]>(pipes: Pipes, options: ReceiveOptions & {
    lease: true;
}): Promise<Selected<Pipes, true>>;

export function select<const Pipes extends readonly Pipe[]>(pipes: Pipes, options?: ReceiveOptions): Promise<Selected<Pipes>>;

export function selectSync<const Pipes extends readonly Pipe[]>(pipes: Pipes, options: ReceiveOptions & {
    lease: true;
}): Selected<Pipes, true>;

export function selectSync<const Pipes extends readonly Pipe[]>(pipes: Pipes, options?: ReceiveOptions): Selected<Pipes>;

export function serveTransfers(pool: SegmentPool, requests: Pipe<TransferRequest>, find: TransferFinder, options?: ServeTransfersOptions): Promise<number>;

export function string(size: number, options?: TextOptions): TextType;

export const struct: <F extends Fields>(fields: F, options?: StructOptions) => Struct<F>;

export function trySelect<const Pipes extends readonly Pipe[]>(pipes: Pipes, options: {
    lease: true;
}): Selected<Pipes, true> | undefined;

export function trySelect<const Pipes extends readonly Pipe[]>(pipes: Pipes, options?: {
    lease?: false;
}): Selected<Pipes> | undefined;

export const uint16: ScalarType<number>;

export const uint32: ScalarType<number>;

export const uint64: ScalarType<bigint>;

export const uint8: ScalarType<number>;

export { Counter as AtomicInt64 };

// Not exported, but named by what is.

type IndexOf<Key> = Key extends `${infer Index extends number}` ? Index : number;

type MessageOf<P> = P extends Pipe<infer T> ? T : never;

class NamedObject {
    readonly name: string;
    get address(): string;
    detach(): void;
    [Symbol.dispose](): void;
}

interface ObjectFacts {
    readonly pipe?: PipeStatistics;
    readonly value?: bigint;
    readonly counter?: CounterStatistics;
    readonly ownerSlot?: number;
    readonly takeovers?: number;
    readonly waiting?: number;
    readonly mutex?: MutexStatistics;
    readonly semaphore?: SemaphoreStatistics;
    readonly condition?: ConditionStatistics;
    readonly rwlock?: RwLockStatistics;
    readonly locks?: LocksStatistics;
    readonly event?: EventStatistics;
    readonly barrier?: BarrierStatistics;
    readonly latch?: LatchStatistics;
    readonly once?: OnceStatistics;
    readonly flag?: FlagStatistics;
    readonly rateLimiter?: RateLimiterStatistics;
    readonly segmentPool?: SegmentPoolStatistics;
    readonly parts?: readonly string[];
}
