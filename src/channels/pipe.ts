import { setMaxListeners } from "node:events";
import type { Readable, Writable } from "node:stream";
import { ArgumentError, ShmkitError } from "../base/errors.js";
import { flag, knownOptions, show, wholeNumber } from "../base/arguments.js";
import { onlyWaitOptions, signalArgument, WAIT_OPTIONS, type WaitOptions } from "../base/deadline.js";
import { rejected, Turns } from "../base/pause.js";
import { RecordKind } from "../layout/pipe.js";
import type { ObjectRef } from "../heap/object-plan.js";
import { NamedObject, type ObjectContext } from "../heap/named-object.js";
import { BLOCKED, type Blocked } from "../members/member.js";
import { LocalQueue, type Waitable, type Waits } from "../members/waits.js";
import { decode, encode } from "./codec.js";
import { Lease } from "./lease.js";
import { LeaseTable } from "./lease-table.js";
import { decodeWith, encodeWith, Undecoded, type MessageCodec } from "./message-codec.js";
import type { PipeHandleOptions } from "./pipe-options.js";
import { checkBytes, isKnownPlain, lengthOf, plainBytes } from "./plain-bytes.js";
import { readShape, type PipeShape } from "./pipe-shape.js";
import { readPipeStatistics, type PipeStatistics } from "./pipe-statistics.js";
import { END, Receiver, SCRATCH, type End, type LeasedBytes } from "./receiver.js";
import { nodeReadable, nodeWritable } from "./node-streams.js";
import { Sender } from "./sender.js";
import type { PipeReadableOptions, PipeWritableOptions } from "./stream-options.js";
import { webReadable, webWritable } from "./web-streams.js";

/** Options of `receive`. */
export interface ReceiveOptions extends WaitOptions {
  /** Take the message on lease: it comes back unless it is acknowledged. Default false. */
  lease?: boolean;
}

/** Options of `process`. */
export interface ProcessOptions {
  /** Messages worked on at a time by this call, 1 to 65,536. Default 1. */
  concurrency?: number;
  /** Ends the processing: running work is finished, then the promise resolves. Default: none. */
  signal?: AbortSignal;
}

const RECEIVE_OPTIONS = [...WAIT_OPTIONS, "lease"] as const;

/**
 * A bounded queue between processes: many senders, many receivers, each message to one receiver, order kept per sender.
 * Values travel as MessagePack, a `Uint8Array` as its bytes; with a `codec`, messages as the bytes it makes. Senders wait while the pipe is full; nothing is dropped. A
 * sender or receiver that dies at any instruction leaves the pipe working and the other messages in order.
 * @see [Pipes](../../docs/guide/pipes.md); the MessagePack specification
 * @example
 * ```ts
 * import { open } from "shmkit";
 *
 * const app = await open("api-pipe");
 * const numbers = await app.pipe<number>("numbers", { capacity: 8 });
 * await numbers.send(1); // waits while eight are in it
 * console.log(numbers.trySend(2)); // true
 * await numbers.close(); // what is in it can still be received
 * for await (const n of numbers) console.log(n); // 1, 2
 * await app.close();
 * ```
 */
export class Pipe<T = unknown> extends NamedObject {
  private readonly shape: PipeShape;
  private readonly sender: Sender;
  private readonly receiver: Receiver;
  private readonly leases: LeaseTable;
  private readonly sends = new LocalQueue();
  private readonly receives = new LocalQueue();
  /** Apart from receives: waiting for a lease slot must not hold those up. */
  private readonly leasings = new LocalQueue();
  private readonly receiving: Waitable<T | Undecoded>;
  private readonly leasing: Waitable<Lease<T> | Undecoded>;
  private readonly codec: MessageCodec<T> | undefined;

  /** @internal */
  constructor(context: ObjectContext, ref: ObjectRef, { codec }: PipeHandleOptions<T>) {
    super(context, ref);
    this.codec = codec;
    const { member, heap, directory } = context;
    this.shape = readShape(member, heap, ref.page, this.address);
    this.sender = new Sender(member, heap, directory, this.shape, ref.entry, this.address);
    this.leases = new LeaseTable(member, heap, this.shape, this.address);
    this.receiver = new Receiver(member, heap, this.shape, this.leases, ref.entry, this.address);
    this.receiving = this.waitable("receiving from", this.receives, () => this.attemptReceive());
    this.leasing = this.waitable("leasing from", this.leasings, () => this.attemptLease());
  }

  /** Messages the pipe holds before senders wait. */
  get capacity(): number {
    return this.shape.capacity;
  }

  /** @internal */
  override checkReopened({ codec }: PipeHandleOptions): void {
    if (codec === undefined || codec === this.codec) return;
    const has = this.codec === undefined ? "no codec" : "another codec";
    throw new ShmkitError(
      "ERR_OPTIONS_DIFFER",
      `${this.address} is open here with ${has}; give all who open it in this process the same one`,
      { path: this.address, expected: codec, actual: this.codec },
    );
  }

  // Sending.

  /**
   * Sends a message; resolves when it is in the pipe, waiting while that is full. Values are encoded at once; bytes are
   * copied when there is room, so leave them alone until the promise resolves.
   * @throws ERR_TIMEOUT (nothing was sent), the signal's reason, ERR_NOT_ENCODABLE, ERR_MESSAGE_TOO_LARGE, ERR_NO_SPACE,
   * ERR_CLOSED, ERR_REGION_LOST
   */
  send(message: T, options?: WaitOptions): Promise<void> {
    try {
      return this.context.waits.async(this.sending(message, options), options);
    } catch (error) {
      return rejected(error);
    }
  }

  /** Sends if there is room now; false if not. Never waits. Other errors as {@link send}. */
  trySend(message: T): boolean {
    return this.context.waits.try(this.sending(message)) !== BLOCKED;
  }

  /** {@link send}, blocking the thread. */
  sendSync(message: T, options?: WaitOptions): void {
    this.context.waits.sync(this.sending(message, options), options);
  }

  /** {@link sendSync} for bytes, without the look at what it is, and past a codec. Bytes are copied. */
  sendBytesSync(bytes: Uint8Array, options?: WaitOptions): void {
    this.check();
    const isKnown = isKnownPlain(bytes);
    if (!isKnown) checkBytes(bytes, "bytes");
    const length = isKnown ? bytes.length : lengthOf(bytes);
    const plain = isKnown ? bytes : plainBytes(bytes, length);
    if (
      options === undefined &&
      this.sends.waits.length === 0 &&
      this.sender.attempt(plain, 0, length, RecordKind.bytes) === true
    )
      return;
    this.context.waits.sync(
      this.sendingBytes(plain, 0, length, RecordKind.bytes),
      onlyWaitOptions(options, "sendBytesSync"),
    );
  }

  private sending(message: T, options?: WaitOptions): Waitable<void> {
    onlyWaitOptions(options, "send");
    const bytes: unknown = this.codec === undefined ? message : encodeWith(this.codec, message, this.address);
    if (bytes instanceof Uint8Array) {
      const length = lengthOf(bytes);
      return this.sendingBytes(plainBytes(bytes, length), 0, length, RecordKind.bytes);
    }
    const encoded = encode(message);
    return this.sendingBytes(encoded, encoded.start, encoded.end - encoded.start, RecordKind.value);
  }

  private sendingBytes(bytes: Uint8Array, from: number, length: number, kind: number): Waitable<void> {
    return {
      what: `sending to ${this.address}`,
      queue: this.sends,
      owner: this,
      attempt: () => {
        this.check();
        return this.sender.attempt(bytes, from, length, kind) === true ? undefined : BLOCKED;
      },
      remains: (set) => this.sender.remains(set),
      isDue: (set) => this.hasEnded || this.sender.remains(set),
      holder: () => this.sender.lockHolder(),
    };
  }

  // Receiving.

  /**
   * Receives the next message, waiting while the pipe is empty. With `{ lease: true }` it stays in shared memory until it
   * is acknowledged.
   * @throws ERR_TIMEOUT, the signal's reason, ERR_CLOSED when the pipe is closed and empty, ERR_BAD_MESSAGE, ERR_REGION_LOST
   */
  receive(options: ReceiveOptions & { lease: true }): Promise<Lease<T>>;
  receive(options?: ReceiveOptions): Promise<T>;
  receive(options?: ReceiveOptions): Promise<T | Lease<T>> {
    try {
      return isLeasing(options, "receive")
        ? this.received(this.leasing, options)
        : this.received(this.receiving, options);
    } catch (error) {
      return rejected(error);
    }
  }

  /** The next message, or undefined (which cannot be sent) when there is none now. @throws ERR_CLOSED when closed and empty */
  tryReceive(options: { lease: true }): Lease<T> | undefined;
  tryReceive(options?: { lease?: false }): T | undefined;
  tryReceive(options?: { lease?: boolean }): T | Lease<T> | undefined {
    const waits = this.context.waits;
    const leasing = flag(knownOptions(options, ["lease"], "tryReceive").lease, "lease");
    const taken = leasing ? waits.try(this.leasing) : waits.try(this.receiving);
    return taken === BLOCKED ? undefined : this.decoded(taken);
  }

  /** {@link receive}, blocking the thread: spins first, then sleeps. */
  receiveSync(options: ReceiveOptions & { lease: true }): Lease<T>;
  receiveSync(options?: ReceiveOptions): T;
  receiveSync(options?: ReceiveOptions): T | Lease<T> {
    const waits = this.context.waits;
    return this.decoded(
      isLeasing(options, "receiveSync") ? waits.sync(this.leasing, options) : waits.sync(this.receiving, options),
    );
  }

  /**
   * Receives the bytes of the next message (encoded, if a value was sent, and past a codec) into `target`; resolves to their number.
   * @throws ERR_OUT_OF_RANGE when the target is too small: the message stays. Others as {@link receive}.
   */
  receiveInto(target: Uint8Array, options?: WaitOptions): Promise<number> {
    try {
      return this.context.waits.async(this.receivingInto(target), onlyWaitOptions(options, "receiveInto"));
    } catch (error) {
      return rejected(error);
    }
  }

  /** {@link receiveInto}, blocking the thread: spins first, then sleeps. */
  receiveIntoSync(target: Uint8Array, options?: WaitOptions): number {
    this.check();
    checkBytes(target, "target");
    if (options === undefined && this.receives.waits.length === 0) {
      const result = this.receiver.attempt(target);
      if (typeof result === "number") return result;
    }
    return this.context.waits.sync(this.receivingInto(target), onlyWaitOptions(options, "receiveIntoSync"));
  }

  private receivingInto(target: Uint8Array): Waitable<number> {
    checkBytes(target, "target");
    return this.waitable(
      "receiving from",
      this.receives,
      () => this.ended(this.receiver.attempt(target)) as number | Blocked,
    );
  }

  private received<R>(waitable: Waitable<R | Undecoded>, options: WaitOptions | undefined): Promise<R | T | Lease<T>> {
    const taken = this.context.waits.async(waitable, options);
    return this.codec === undefined ? (taken as Promise<R>) : taken.then((one) => this.decoded(one));
  }

  /** @internal What was taken, as its user gets it. With a codec, this runs it. @throws ERR_BAD_MESSAGE */
  decoded<R>(taken: R | Undecoded): R | T | Lease<T> {
    if (this.codec === undefined || !(taken instanceof Undecoded)) return taken as R;
    const { lease } = taken;
    try {
      const message = decodeWith(this.codec, taken, this.address);
      return lease === undefined ? message : new Lease(this, lease, message);
    } catch (error) {
      if (lease !== undefined) this.dropUndecodable(lease);
      throw error;
    }
  }

  /** The error carries the bytes; given back, the message would stop every worker in turn. */
  private dropUndecodable({ index, sequence }: LeasedBytes): void {
    try {
      this.settleLease(index, sequence, true);
    } catch (error) {
      // It went back with the handle, which the codec has given up.
      if (!(error instanceof ShmkitError)) throw error;
    }
  }

  /** @internal What a selection waits for, and how; to be {@link decoded}. */
  receivingBy(leasing: boolean): { waits: Waits; waitable: Waitable<unknown> } {
    return { waits: this.context.waits, waitable: leasing ? this.leasing : this.receiving };
  }

  private attemptReceive(): T | Undecoded | Blocked {
    const taken = this.ended(this.receiver.attempt(undefined));
    if (taken === BLOCKED) return BLOCKED;
    if (this.codec !== undefined)
      return new Undecoded(typeof taken === "number" ? SCRATCH.slice(0, taken) : taken, this.receiver.kind, undefined);
    if (typeof taken === "number") return decode(SCRATCH, taken) as T;
    return this.valueFrom(taken, this.receiver.kind);
  }

  private attemptLease(): Lease<T> | Undecoded | Blocked {
    const taken = this.ended(this.receiver.attemptLease());
    if (taken === BLOCKED) return BLOCKED;
    if (this.codec !== undefined) return new Undecoded(taken.bytes, taken.kind, taken);
    try {
      return new Lease(this, taken, this.valueFrom(taken.bytes, taken.kind));
    } catch (error) {
      this.dropUndecodable(taken);
      throw error;
    }
  }

  /** @internal Also on a removed pipe: whoever has it open keeps its memory. */
  settleLease(index: number, sequence: number, done: boolean): void {
    if (!this.isAttached) this.check();
    if (done) this.receiver.acknowledge(index, sequence);
    else this.receiver.giveBack(index, sequence);
  }

  protected override beforeDetach(): void {
    this.receiver.giveBackAll();
  }

  private waitable<R>(verb: string, queue: LocalQueue, attempt: () => R | Blocked): Waitable<R> {
    return {
      what: `${verb} ${this.address}`,
      queue,
      owner: this,
      attempt: () => {
        this.check();
        return attempt();
      },
      remains: (set) => this.receiver.remains(set),
      isDue: (set) => this.hasEnded || this.receiver.remains(set),
      holder: () => this.receiver.lockHolder(),
    };
  }

  /** Whether it was closed or removed, of which a wait is to be told. */
  private get hasEnded(): boolean {
    return !this.isLive || this.sender.isClosed;
  }

  private ended<R>(result: R | End): R {
    if (result === END)
      throw new ShmkitError("ERR_CLOSED", `${this.address} is closed and everything in it has been received`, {
        path: this.address,
      });
    return result;
  }

  private valueFrom(bytes: Uint8Array, kind: number): T {
    if (kind === RecordKind.bytes) return bytes as T;
    if (bytes.length > SCRATCH.length) return decode(bytes, bytes.length) as T;
    // The decoder makes a view of each buffer it has not seen before, which takes longer than to decode a short message.
    SCRATCH.set(bytes);
    return decode(SCRATCH, bytes.length) as T;
  }

  /** {@link messages}, as `for await` calls it. */
  [Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    return this.messages();
  }

  /**
   * The messages, or their leases, until the pipe is closed and empty. Each is received when it is asked for, so leaving
   * the loop loses none. `timeoutMs` counts for each message anew.
   * @throws as {@link receive}
   * @example
   * ```ts
   * import { open } from "shmkit";
   *
   * const app = await open("api-messages");
   * const jobs = await app.pipe<string>("jobs");
   * await jobs.send("one");
   * await jobs.close();
   * for await (const lease of jobs.messages({ lease: true, timeoutMs: 1000 })) lease.ack();
   * await app.close();
   * ```
   */
  messages(options: ReceiveOptions & { lease: true }): AsyncGenerator<Lease<T>, void, void>;
  messages(options?: ReceiveOptions): AsyncGenerator<T, void, void>;
  async *messages(options?: ReceiveOptions): AsyncGenerator<T | Lease<T>, void, void> {
    const turns = new Turns();
    for (;;) {
      let message: T | Lease<T>;
      const turn = turns.due();
      if (turn !== undefined) await turn;
      try {
        message = await this.receive(options);
      } catch (error) {
        if (this.isEnd(error)) return;
        throw error;
      }
      yield message;
    }
  }

  /** @internal Whether an error says that the pipe is closed and empty. */
  isEnd(error: unknown): boolean {
    return error instanceof ShmkitError && error.code === "ERR_CLOSED" && this.isAttached && this.isClosed;
  }

  // Streams.

  /**
   * A Web stream of the messages, until the pipe is closed and empty. It receives when its reader asks. Cancelled, it puts
   * back what its reader does not have; the pipe stays open. Fails as {@link receive}, and in the mode `"bytes"` with
   * ERR_INVALID_ARGUMENT at a message that is no bytes, which stays.
   * @throws ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE, ERR_UNKNOWN_OPTION
   */
  readable(options: PipeReadableOptions & { mode: "bytes" }): ReadableStream<Uint8Array>;
  readable(options?: PipeReadableOptions): ReadableStream<T>;
  readable(options?: PipeReadableOptions): ReadableStream {
    return webReadable(this, options);
  }

  /**
   * A Web stream into the pipe: a write is done when the message is in it. Its end leaves the pipe open, unless
   * `closePipe` is set. Aborted, what has not been sent is not. Fails as {@link send}.
   * @throws ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE, ERR_UNKNOWN_OPTION
   */
  writable(options: PipeWritableOptions & { mode: "bytes" }): WritableStream<ArrayBufferView | ArrayBuffer>;
  writable(options?: PipeWritableOptions): WritableStream<T>;
  writable(options?: PipeWritableOptions): WritableStream {
    return webWritable(this, options);
  }

  /** {@link readable} as a Node stream: in object mode, or of buffers in the mode `"bytes"`. ERR_INVALID_ARGUMENT also at null. */
  nodeReadable(options?: PipeReadableOptions): Readable {
    return nodeReadable(this, options);
  }

  /** {@link writable} as a Node stream: in object mode, or of strings and buffers in the mode `"bytes"`. */
  nodeWritable(options?: PipeWritableOptions): Writable {
    return nodeWritable(this, options);
  }

  /**
   * Works on messages under lease until the pipe is closed and empty (or the signal ends it). Resolving acknowledges,
   * throwing gives the message back for redelivery (possibly to this very worker), dying does the same. Resolves to the
   * number of messages acknowledged.
   * @throws as {@link receive}; what `work` throws is not rethrown
   */
  async process(work: (message: T, lease: Lease<T>) => unknown, options?: ProcessOptions): Promise<number> {
    const { concurrency = 1, signal } = knownOptions(options, ["concurrency", "signal"], "process");
    if (typeof work !== "function")
      throw new ArgumentError("ERR_INVALID_ARGUMENT", `work must be a function, not ${show(work)}`);
    wholeNumber(concurrency, "concurrency", 1, 65536);
    signalArgument(signal);
    let done = 0;
    const turns = new Turns();
    const stop = new AbortController();
    const ends = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
    // As many listeners as there are loops are no leak.
    setMaxListeners(0, ends);
    const loop = async (): Promise<void> => {
      for (;;) {
        let lease: Lease<T>;
        const turn = turns.due();
        if (turn !== undefined) await turn;
        try {
          lease = await this.receive({ lease: true, signal: ends });
        } catch (error) {
          if (ends.aborted || this.isEnd(error)) return;
          throw error;
        }
        let failed = false;
        try {
          await work(lease.value, lease);
        } catch {
          failed = true;
        }
        // The work may have settled its lease itself.
        if (lease.isSettled) continue;
        if (failed) lease.nack();
        else {
          lease.ack();
          done++;
        }
      }
    };
    // Whichever loop fails, the others finish the work they have before the error is told.
    const loops = Array.from({ length: concurrency }, () =>
      loop().catch((error: unknown) => {
        stop.abort();
        throw error;
      }),
    );
    for (const outcome of await Promise.allSettled(loops)) if (outcome.status === "rejected") throw outcome.reason;
    return done;
  }

  // State.

  /**
   * Closes the pipe for everybody: nothing more can be sent, what was sent can still be received; then iterations end.
   * Idempotent. (To give up this handle only, see {@link detach}.)
   * @throws ERR_TIMEOUT, ERR_CLOSED when the region is, ERR_REGION_LOST
   */
  async close(options?: WaitOptions): Promise<void> {
    await this.context.waits.async(this.closing(), onlyWaitOptions(options, "close"));
  }

  /** {@link close}, blocking the thread. */
  closeSync(options?: WaitOptions): void {
    this.context.waits.sync(this.closing(), onlyWaitOptions(options, "closeSync"));
  }

  private closing(): Waitable<boolean> {
    return {
      what: `closing ${this.address}`,
      queue: this.sends,
      owner: this,
      attempt: () => {
        this.check();
        return this.sender.attemptClose();
      },
      remains: (set) => this.sender.remains(set),
    };
  }

  /** Whether the pipe was closed for sending. */
  get isClosed(): boolean {
    return this.statistics().closed;
  }

  /** Resolves when everything sent has been received and nothing is out on lease. @throws ERR_TIMEOUT, ERR_CLOSED, ERR_REGION_LOST */
  async drain(options?: WaitOptions): Promise<void> {
    await this.context.waits.async(this.draining(), onlyWaitOptions(options, "drain"));
  }

  /** {@link drain}, blocking the thread. */
  drainSync(options?: WaitOptions): void {
    this.context.waits.sync(this.draining(), onlyWaitOptions(options, "drainSync"));
  }

  private draining(): Waitable<true> {
    const { receiver, member } = this;
    const drained = receiver.drainedSet;
    return {
      what: `draining ${this.address}`,
      queue: new LocalQueue(),
      owner: this,
      attempt: () => {
        this.check();
        member.segment.checkNotLost();
        return receiver.isDrained() ? true : member.waiting(drained);
      },
      remains: () => false,
    };
  }

  /** Its figures, read without locks; rates are the differences of two looks. @throws ERR_CLOSED, ERR_REGION_LOST */
  statistics(): PipeStatistics {
    this.check();
    const statistics = readPipeStatistics(this.member.segment, this.shape, this.member.geometry.setWords);
    this.member.segment.checkNotLost();
    return statistics;
  }
}

function isLeasing(options: ReceiveOptions | undefined, where: string): boolean {
  return options !== undefined && flag(knownOptions(options, RECEIVE_OPTIONS, where).lease, "lease");
}
