import { ShmkitError } from "../base/errors.js";
import { INSPECTED } from "../base/inspection.js";
import type { LeasedBytes } from "./receiver.js";

/** What a lease asks of its pipe. */
interface Lessor {
  settleLease(index: number, sequence: number, done: boolean): void;
}

/**
 * A message on lease. It stays in shared memory until {@link ack}; {@link nack}, or the death of this process, puts it
 * back in its place, to be delivered again. There is no time limit: a slow or stopped worker keeps its leases.
 * @example
 * ```ts
 * import { open } from "shmkit";
 *
 * const app = await open("api-lease");
 * const jobs = await app.pipe<{ id: number }>("jobs");
 * await jobs.send({ id: 1 });
 * const lease = await jobs.receive({ lease: true });
 * console.log(lease.value.id, lease.deliveries); // 1 1
 * lease.ack();
 * await app.close();
 * ```
 */
export class Lease<T> {
  /** The message. */
  readonly value: T;
  /** Number of the message in the pipe, from 0. */
  readonly sequence: number;
  /** How often it has been delivered, this time included. */
  readonly deliveries: number;
  private readonly pipe: Lessor;
  private readonly index: number;
  private done = false;

  /** @internal */
  constructor(pipe: Lessor, taken: LeasedBytes, value: T) {
    this.pipe = pipe;
    this.index = taken.index;
    this.value = value;
    this.sequence = taken.sequence;
    this.deliveries = taken.deliveries;
  }

  /** The work is done: the message is gone for good. @throws ERR_NOT_HELD when ack or nack was called before, ERR_CLOSED */
  ack(): void {
    this.settle();
    this.pipe.settleLease(this.index, this.sequence, true);
  }

  /** The message goes back to its place and is delivered again. @throws ERR_NOT_HELD, ERR_CLOSED */
  nack(): void {
    this.settle();
    this.pipe.settleLease(this.index, this.sequence, false);
  }

  /** Whether ack or nack was called. */
  get isSettled(): boolean {
    return this.done;
  }

  /** {@link nack}, unless settled. */
  [Symbol.dispose](): void {
    if (!this.done) this.nack();
  }

  /** @internal */
  [INSPECTED](): object {
    const { value, sequence, deliveries, isSettled } = this;
    return { value, sequence, deliveries, isSettled };
  }

  private settle(): void {
    if (this.done) throw new ShmkitError("ERR_NOT_HELD", "this lease was settled already; call ack or nack once");
    this.done = true;
  }
}
