import { onAbort } from "../base/abort.js";
import { deadlineOf, now, timeoutError } from "../base/deadline.js";
import { platformTypeError } from "../base/errors.js";
import { rejected } from "../base/pause.js";
import { show } from "../base/arguments.js";
import { setImmediate as nextTurn } from "node:timers";
import { LockName } from "./lock-name.js";
import type { Claim, LockTable } from "./lock-table.js";

/** Whether others may hold a lock at the same time: as readers may, or not. */
export type LockMode = "exclusive" | "shared";

/** Options of {@link LockManager.request}, as Web Locks have them, and one more. What else is in the object is not looked at. */
export interface LockRequestOptions {
  /** Alone, or together with others who share it. Default `"exclusive"`. */
  mode?: LockMode;
  /** If the lock cannot be had at once, the callback is called with null instead. Default false. */
  ifAvailable?: boolean;
  /** Takes the lock from whoever has it, and before all who wait; their `request` rejects, what they do goes on. Default false. */
  steal?: boolean;
  /** Withdraws the request as long as the lock has not been granted; then it is ignored. */
  signal?: AbortSignal;
  /** Milliseconds to wait for the lock until the request rejects with ERR_TIMEOUT. Not part of Web Locks. Default: no limit. */
  timeoutMs?: number;
}

/** One lock or one request in a {@link LockManagerSnapshot}. */
export interface LockInfo {
  /** Name of the lock. */
  name: string;
  /** Mode that was asked for. */
  mode: LockMode;
  /** The member that asked: `SLOT.GENERATION`, the same as long as it is attached and never again. */
  clientId: string;
}

/** What {@link LockManager.query} finds: all of one moment. */
export interface LockManagerSnapshot {
  /** Locks that are held, in the order in which they were requested. */
  held: LockInfo[];
  /** Requests that wait, in the order in which they were made. */
  pending: LockInfo[];
}

/** What is done with a lock: it is held until what this returns is settled. Null when it was not available. */
export type LockGrantedCallback<T> = (lock: Lock | null) => T;

/** @internal Where a manager gets its table from: at the first request the region opens it, or makes it. */
export interface LockTableSource {
  /** The table, at once if that can be. */
  tryOpen(): LockTable | undefined;
  open(): Promise<LockTable>;
}

const INTERNAL: unique symbol = Symbol("shmkit.locks");
type Internal<T extends unknown[]> = [key?: typeof INTERNAL, ...T];

function onlyInternally(key: unknown): void {
  if (key !== INTERNAL) throw platformTypeError("ERR_INVALID_ARGUMENT", "Illegal constructor");
}

/** Shows members, with how many arguments they need, as those of the platform's interfaces show. */
function asInterface(prototype: object, name: string, members: Readonly<Record<string, number>>): void {
  for (const [member, length] of Object.entries(members)) {
    const value: unknown = Object.getOwnPropertyDescriptor(prototype, member)!.value;
    if (typeof value === "function") Object.defineProperty(value, "length", { value: length });
    Object.defineProperty(prototype, member, { enumerable: true });
  }
  Object.defineProperty(prototype, Symbol.toStringTag, { value: name, configurable: true });
}

/** A lock that was granted: what the callback of {@link LockManager.request} is given. */
export class Lock {
  readonly #name: string;
  readonly #mode: LockMode;

  /** @internal */
  constructor(...internal: Internal<[name: string, mode: LockMode]>) {
    onlyInternally(internal[0]);
    this.#name = internal[1]!;
    this.#mode = internal[2]!;
  }

  /** The name it was requested by. */
  get name(): string {
    return this.#name;
  }
  /** The mode it was requested in. */
  get mode(): LockMode {
    return this.#mode;
  }
}
asInterface(Lock.prototype, "Lock", { name: 0, mode: 0 });

/**
 * The named locks of a region, with the interface of [Web Locks](https://w3c.github.io/web-locks/) between processes: what
 * runs with `navigator.locks` runs with it. A lock is held as long as the promise of its callback is pending; requests for
 * a name are served in the order in which they were made, whichever process made them. When a process dies, its locks are
 * released and its requests withdrawn at once.
 * @see [Synchronisation](../../docs/guide/synchronisation.md#web-locks)
 * @example
 * ```ts
 * import { open } from "shmkit";
 *
 * const app = await open("api-locks");
 * const result = await app.locks.request("accounts", async (lock) => {
 *   console.log(lock?.name, lock?.mode, (await app.locks.query()).held.length); // accounts exclusive 1
 *   return "done";
 * });
 * console.log(result, await app.locks.request("accounts", { ifAvailable: true }, (lock) => lock !== null)); // done true
 * await app.close();
 * ```
 */
export class LockManager {
  readonly #source: LockTableSource;
  #table: LockTable | undefined;

  /** @internal */
  constructor(...internal: Internal<[source: LockTableSource]>) {
    onlyInternally(internal[0]);
    this.#source = internal[1]!;
  }

  /** @internal */
  static over(source: LockTableSource): LockManager {
    return new LockManager(INTERNAL, source);
  }

  /**
   * Requests a lock, and calls `callback` with it when it is granted: in a turn of the event loop of its own. Resolves or
   * rejects as the callback does, once the lock is released; or rejects without calling it.
   * @throws as Web Locks: TypeError for arguments of a wrong type, NotSupportedError (DOMException) for a name that begins
   * with `-` and for options that contradict each other, AbortError (DOMException) when the lock was stolen, the signal's
   * reason. Beyond them ERR_TIMEOUT, ERR_OUT_OF_RANGE, ERR_REGION_FULL, ERR_NO_SPACE, ERR_CLOSED, ERR_REGION_LOST
   */
  request<T>(name: string, callback: LockGrantedCallback<T>): Promise<Awaited<T>>;
  request<T>(name: string, options: LockRequestOptions, callback: LockGrantedCallback<T>): Promise<Awaited<T>>;
  request<T>(...given: [name: unknown, second?: unknown, third?: unknown]): Promise<Awaited<T>> {
    try {
      const source = this.#source;
      const pending = readRequest(given);
      this.#begin(source, pending);
      return pending.promise as Promise<Awaited<T>>;
    } catch (error) {
      return rejected(error);
    }
  }

  /** What is held and what waits in the whole region. @throws ERR_CLOSED, ERR_REGION_LOST, ERR_REGION_FULL, ERR_NO_SPACE */
  async query(): Promise<LockManagerSnapshot> {
    const table = this.#table ?? (await this.#source.open());
    const { held, pending } = await table.list();
    const infos = (entries: typeof held): LockInfo[] =>
      entries.map(({ name, mode, slot }) => ({ name, mode, clientId: table.clientId(slot) }));
    return { held: infos(held), pending: infos(pending) };
  }

  #begin(source: LockTableSource, pending: PendingRequest): void {
    // What throws here is for the promise, whose timer runs already.
    try {
      this.#table ??= source.tryOpen();
      if (this.#table !== undefined) {
        pending.begin(this.#table);
        return;
      }
    } catch (error) {
      pending.failed(error);
      return;
    }
    source.open().then(
      (table) => {
        this.#table = table;
        pending.begin(table);
      },
      (error: unknown) => pending.failed(error),
    );
  }
}
asInterface(LockManager.prototype, "LockManager", { request: 2, query: 0 });

// Arguments, converted as Web IDL says and in its order.

interface RequestOptions {
  readonly mode: LockMode;
  readonly ifAvailable: boolean;
  readonly steal: boolean;
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number | undefined;
  readonly deadline: number;
}

const DEFAULTS: RequestOptions = {
  mode: "exclusive",
  ifAvailable: false,
  steal: false,
  signal: undefined,
  timeoutMs: undefined,
  deadline: Number.POSITIVE_INFINITY,
};

function readRequest(given: readonly unknown[]): PendingRequest {
  if (given.length < 2) throw wrong(`2 arguments required, but only ${given.length} present`);
  const text = `${given[0] as string}`;
  const options = readOptions(given.length === 2 ? undefined : given[1]);
  const callback = given[given.length === 2 ? 1 : 2];
  if (typeof callback !== "function") throw wrong(`the callback must be a function, not ${show(callback)}`);
  const { mode, ifAvailable, steal, signal } = options;
  if (text.startsWith("-")) throw notSupported('names that begin with "-" are reserved');
  if (steal && ifAvailable) throw notSupported("steal and ifAvailable cannot be used together");
  if (steal && mode !== "exclusive") throw notSupported('steal is for the mode "exclusive" only');
  if (signal !== undefined && (steal || ifAvailable))
    throw notSupported("a signal cannot be used together with steal or ifAvailable");
  signal?.throwIfAborted();
  return new PendingRequest(text, options, callback as LockGrantedCallback<unknown>);
}

function readOptions(given: unknown): RequestOptions {
  if (given === undefined) return DEFAULTS;
  if (given !== null && typeof given !== "object" && typeof given !== "function")
    throw wrong(`the options must be an object, not ${show(given)}`);
  const options = (given ?? {}) as Record<keyof LockRequestOptions, unknown>;
  const ifAvailable = Boolean(options.ifAvailable);
  const mode = readMode(options.mode);
  const { signal } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw wrong(`signal must be an AbortSignal, not ${show(signal)}`);
  const steal = Boolean(options.steal);
  const { timeoutMs } = options;
  const deadline = deadlineOf(timeoutMs);
  return { mode, ifAvailable, steal, signal, timeoutMs: timeoutMs as number | undefined, deadline };
}

function readMode(given: unknown): LockMode {
  if (given === undefined) return "exclusive";
  const mode = `${given as string}`;
  if (mode !== "exclusive" && mode !== "shared") throw wrong(`mode must be "exclusive" or "shared", not ${show(mode)}`);
  return mode;
}

const wrong = (message: string): TypeError => platformTypeError("ERR_INVALID_ARGUMENT", `locks.request: ${message}`);
const notSupported = (message: string): DOMException => new DOMException(message, "NotSupportedError");

// What becomes of a request.

/** From the call of `request` to the end of its promise. */
class PendingRequest implements Claim {
  readonly name: LockName;
  readonly shared: boolean;
  readonly manner: Claim["manner"];
  at = 0;
  index = 0;
  readonly promise: Promise<unknown>;
  private table: LockTable | undefined;
  private resolve!: (value: unknown) => void;
  private reject!: (error: unknown) => void;
  /** Calls the callback. */
  private invoke!: (lock: Lock | null) => void;
  private isSettled = false;
  private isWithdrawn = false;
  private isCalled = false;
  private readonly forgetSignal: () => void;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    name: string,
    private readonly asked: RequestOptions,
    callback: LockGrantedCallback<unknown>,
  ) {
    const { signal, deadline } = asked;
    this.name = LockName.of(name);
    this.shared = asked.mode === "shared";
    this.manner = asked.steal ? "steal" : asked.ifAvailable ? "ifAvailable" : "wait";
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // The callback runs as a reaction made here, and so in the asynchronous context of the request.
    const waiting = new Promise<Lock | null>((resolve) => (this.invoke = resolve)).then((lock) => callback(lock));
    waiting.then(
      (value) => this.finished(() => this.resolve(value)),
      (error: unknown) => this.finished(() => this.reject(error)),
    );
    this.forgetSignal = onAbort(signal, () => this.withdraw(signal?.reason));
    if (deadline !== Number.POSITIVE_INFINITY) this.startTimer(deadline);
  }

  begin(table: LockTable): void {
    this.table = table;
    if (!this.isSettled) table.request(this);
  }

  private startTimer(deadline: number): void {
    const expire = (): void => {
      if (deadline > now()) this.startTimer(deadline);
      else this.withdraw(this.timedOut());
    };
    // What waits keeps the process alive, not the clock.
    this.timer = setTimeout(expire, Math.min(Math.max(deadline - now(), 0), 2 ** 30)).unref();
  }

  private timedOut(): Error {
    const what = `requesting the lock ${show(this.name.text)}`;
    return timeoutError(what, this.asked.timeoutMs, this.table?.holderOf(this.name));
  }

  /** The signal or the clock, before the callback was called. */
  private withdraw(reason: unknown): void {
    if (this.isSettled) return;
    this.failed(reason);
    try {
      this.table?.leave(this);
    } catch {
      // It is told of the reason that came first.
    }
  }

  granted(): void {
    nextTurn(() => {
      // Withdrawn meanwhile, or about to be told that the region was closed.
      if (this.isWithdrawn || !this.table!.isOpen) return;
      this.call(new Lock(INTERNAL, this.name.text, this.asked.mode));
    });
  }

  unavailable(): void {
    this.at = 0;
    nextTurn(() => this.call(null));
  }

  private call(lock: Lock | null): void {
    this.isCalled = true;
    this.stopWaiting();
    this.invoke(lock);
  }

  /** The callback came to its end. */
  private finished(settle: () => void): void {
    try {
      if (this.at !== 0 && this.table?.leave(this) === false) this.broken();
    } catch (error) {
      this.failed(error);
    }
    if (!this.isSettled) settle();
  }

  broken(): void {
    this.at = 0;
    if (!this.isSettled) this.reject(new DOMException("the lock was stolen by another request", "AbortError"));
    this.isSettled = true;
  }

  closed(error: unknown): void {
    if (!this.isCalled) this.failed(error);
  }

  failed(error: unknown): void {
    this.stopWaiting();
    if (!this.isSettled) this.reject(error);
    this.isSettled = this.isWithdrawn = true;
  }

  private stopWaiting(): void {
    this.forgetSignal();
    clearTimeout(this.timer);
  }
}
