import { onAbort } from "../base/abort.js";
import { ArgumentError, ShmkitError } from "../base/errors.js";
import { flag, knownOptions, show } from "../base/arguments.js";
import { deadlineOf, signalArgument, WAIT_OPTIONS, type WaitOptions } from "../base/deadline.js";
import { rejected } from "../base/pause.js";
import { BLOCKED, type Blocked } from "../members/member.js";
import { LocalQueue, type Waitable, type Waits } from "../members/waits.js";
import type { Lease } from "./lease.js";
import { Pipe, type ReceiveOptions } from "./pipe.js";

type MessageOf<P> = P extends Pipe<infer T> ? T : never;
type IndexOf<Key> = Key extends `${infer Index extends number}` ? Index : number;

/** What was received from one of several pipes. `index` says which, also to TypeScript. */
export type Selected<Pipes extends readonly Pipe[], Leasing extends boolean = false> = {
  readonly [Key in keyof Pipes]: {
    /** Place of the pipe in the list. */
    readonly index: IndexOf<Key>;
    /** The pipe that had it. */
    readonly pipe: Pipes[Key];
    /** The message, or its lease. */
    readonly value: Leasing extends true ? Lease<MessageOf<Pipes[Key]>> : MessageOf<Pipes[Key]>;
  };
}[number];

/**
 * Receives one message from whichever of the pipes has one first, and takes none from the others. Among several that have
 * one, the pipe that a selection has served least recently is served. A closed and empty pipe is passed over. The pipes may be of
 * several regions.
 * @throws ERR_CLOSED when every pipe is closed and empty, or one was given up or removed; ERR_TIMEOUT, the signal's reason, ERR_BAD_MESSAGE,
 * ERR_REGION_LOST, ERR_INVALID_ARGUMENT
 * @example
 * ```ts
 * import { open, select } from "shmkit";
 *
 * const app = await open("api-select");
 * const urgent = await app.pipe<string>("urgent");
 * const jobs = await app.pipe<number>("jobs");
 * await jobs.send(7);
 * const taken = await select([urgent, jobs], { timeoutMs: 1000 });
 * if (taken.index === 1) console.log(taken.value.toFixed(1)); // 7.0
 * await app.close();
 * ```
 */
export function select<const Pipes extends readonly Pipe[]>(
  pipes: Pipes,
  options: ReceiveOptions & { lease: true },
): Promise<Selected<Pipes, true>>;
export function select<const Pipes extends readonly Pipe[]>(
  pipes: Pipes,
  options?: ReceiveOptions,
): Promise<Selected<Pipes>>;
export function select(pipes: readonly Pipe[], options?: ReceiveOptions): Promise<unknown> {
  try {
    return new Selection(pipes, options, "select").wait(options).then(decoded);
  } catch (error) {
    return rejected(error);
  }
}

/** {@link select} without waiting: undefined when no pipe has a message now. */
export function trySelect<const Pipes extends readonly Pipe[]>(
  pipes: Pipes,
  options: { lease: true },
): Selected<Pipes, true> | undefined;
export function trySelect<const Pipes extends readonly Pipe[]>(
  pipes: Pipes,
  options?: { lease?: false },
): Selected<Pipes> | undefined;
export function trySelect(pipes: readonly Pipe[], options?: { lease?: boolean }): unknown {
  knownOptions(options, ["lease"], "trySelect");
  const taken = new Selection(pipes, options, "trySelect").now();
  return taken === BLOCKED ? undefined : decoded(taken);
}

/** {@link select}, blocking the thread: the pipes must be of one region, as opened once. */
export function selectSync<const Pipes extends readonly Pipe[]>(
  pipes: Pipes,
  options: ReceiveOptions & { lease: true },
): Selected<Pipes, true>;
export function selectSync<const Pipes extends readonly Pipe[]>(
  pipes: Pipes,
  options?: ReceiveOptions,
): Selected<Pipes>;
export function selectSync(pipes: readonly Pipe[], options?: ReceiveOptions): unknown {
  return decoded(new Selection(pipes, options, "selectSync").waitSync(options));
}

interface Taken {
  readonly index: number;
  readonly pipe: Pipe;
  readonly value: unknown;
}

/** Once the matter is settled, since codecs are the user's code. @throws ERR_BAD_MESSAGE */
const decoded = ({ index, pipe, value }: Taken): Taken => ({ index, pipe, value: pipe.decoded(value) });

/** A way to receive from one of the pipes. */
interface Leg {
  readonly index: number;
  readonly pipe: Pipe;
  readonly waits: Waits;
  readonly waitable: Waitable<unknown>;
}

/** When a pipe was last served by a selection, in selections of this thread. */
const served = new WeakMap<Pipe, number>();
let selections = 0;

/**
 * One receive that can be made in several places. Each has a wait in its pipe's own queue; all are of one thread, so that
 * the first attempt which takes a message settles the matter before any other attempt is made.
 */
class Selection {
  private readonly legs: readonly Leg[];
  private readonly what: string;
  private taken: Taken | undefined;
  private failure: { readonly error: unknown } | undefined;
  /** Legs whose pipes have ended. */
  private ended = 0;
  private readonly stopping = new AbortController();

  constructor(pipes: readonly Pipe[], options: ReceiveOptions | undefined, where: string) {
    const { lease, signal, timeoutMs } = knownOptions(options, [...WAIT_OPTIONS, "lease"], where);
    const leasing = flag(lease, "lease");
    signalArgument(signal);
    deadlineOf(timeoutMs);
    if (!Array.isArray(pipes) || pipes.length === 0 || !pipes.every((pipe) => pipe instanceof Pipe))
      throw new ArgumentError(
        "ERR_INVALID_ARGUMENT",
        `${where} takes a list of pipes, at least one, not ${show(pipes)}`,
      );
    const legs = pipes.map((pipe: Pipe, index) => ({ index, pipe, ...pipe.receivingBy(leasing) }));
    this.legs = legs.sort((a, b) => (served.get(a.pipe) ?? 0) - (served.get(b.pipe) ?? 0));
    this.what = `receiving from ${pipes.map((pipe: Pipe) => pipe.address).join(" or ")}`;
  }

  /** What can be had without waiting. */
  now(): Taken | Blocked {
    for (const leg of this.legs) this.outcome(leg, () => leg.waits.try(leg.waitable));
    return this.result();
  }

  async wait(options: WaitOptions | undefined): Promise<Taken> {
    options?.signal?.throwIfAborted();
    const now = this.now();
    if (now !== BLOCKED) return now;
    const { signal, timeoutMs } = options ?? {};
    const forgetSignal = onAbort(signal, () => this.stopping.abort(signal?.reason));
    try {
      await this.begin(timeoutMs, () => true);
      return this.result() as Taken;
    } finally {
      forgetSignal();
      this.stopping.abort();
    }
  }

  waitSync(options: WaitOptions | undefined): Taken {
    options?.signal?.throwIfAborted();
    const { waits, pipe } = this.legs[0];
    if (this.legs.some((leg) => leg.waits !== waits))
      throw new ArgumentError(
        "ERR_INVALID_ARGUMENT",
        "selectSync takes pipes of one region, as opened once; select takes any",
      );
    const now = this.now();
    if (now !== BLOCKED) return now;
    // Cut off by a vm timeout, the legs stay behind: they must take nothing any more.
    let isTrying = true;
    try {
      void this.begin(undefined, () => isTrying).catch(() => undefined);
      isTrying = false;
      return waits.sync(
        {
          what: this.what,
          queue: new LocalQueue(),
          owner: pipe,
          attempt: () => {
            isTrying = true;
            for (const { waitable } of this.legs) waits.pump(waitable.queue);
            isTrying = false;
            return this.result();
          },
          remains: (set) => this.legs.every(({ waitable }) => waitable.remains(set)),
        },
        options,
      );
    } finally {
      this.stopping.abort();
    }
  }

  /** Lets every leg wait; resolves or rejects when there is a result. */
  private begin(timeoutMs: number | undefined, isTrying: () => boolean): Promise<void> {
    const { signal } = this.stopping;
    this.ended = 0;
    const waiting = this.legs.map(async (leg) => {
      const attempt = (): unknown => {
        if (this.isOver() || !isTrying()) return undefined;
        return this.outcome(leg, () => leg.waitable.attempt());
      };
      try {
        await leg.waits.async(
          { ...leg.waitable, what: this.what, attempt },
          { signal, ...(timeoutMs === undefined ? {} : { timeoutMs }) },
        );
      } catch (error) {
        if (this.isOver()) return;
        // A last look: a ring may have gone to somebody who is stopped.
        for (const other of this.legs) other.waits.pump(other.waitable.queue);
        if (!this.isOver()) this.failure = { error };
      }
    });
    return new Promise((resolve, reject) => {
      for (const leg of waiting)
        leg.then(() => {
          if (this.isOver()) resolve();
        }, reject);
    });
  }

  /** Makes an attempt on a leg, unless there is a result, and takes down what came of it. */
  private outcome(leg: Leg, attempt: () => unknown): unknown {
    if (this.isOver()) return undefined;
    try {
      const value = attempt();
      if (value !== BLOCKED) {
        this.taken = { index: leg.index, pipe: leg.pipe, value };
        served.set(leg.pipe, ++selections);
      }
      return value;
    } catch (error) {
      if (leg.pipe.isEnd(error)) this.ended++;
      else this.failure = { error };
      return undefined;
    }
  }

  private isOver(): boolean {
    return this.taken !== undefined || this.failure !== undefined || this.ended === this.legs.length;
  }

  private result(): Taken | Blocked {
    if (this.taken !== undefined) return this.taken;
    if (this.failure !== undefined) throw this.failure.error;
    if (this.ended < this.legs.length) return BLOCKED;
    throw new ShmkitError("ERR_CLOSED", `${this.what}: all are closed and everything in them has been received`);
  }
}
