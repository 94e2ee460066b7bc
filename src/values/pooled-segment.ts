import { INSPECTED, shown } from "../base/inspection.js";
import type { SegmentPool } from "./segment-pool.js";

/**
 * What names a segment that was handed over: send it to whoever is to take it over, as a message of a pipe, say. It is good
 * for once: a segment gets another generation with everybody who has it.
 */
export interface SegmentTicket {
  /** Which pool of the region: one that was made anew of the same name is another. */
  readonly pool: number;
  /** Number of the segment in its pool, from 0. */
  readonly id: number;
  /** Counts who had the segment (wraps at 2^22). */
  readonly generation: number;
}

/** @internal Who handed a segment over: a member, as long as its slot is of that generation, and until it gives up the pool. */
export interface Sender {
  readonly slot: number;
  readonly generation: number;
  readonly departures: number;
}

/** A segment of a {@link SegmentPool} that this member has, until it releases it or hands it over; if it dies, the segment is free. */
export class PooledSegment {
  /** Its number in the pool, from 0. */
  readonly id: number;
  /** @internal */
  readonly generation: number;
  /** @internal Whoever handed it over. */
  readonly sender: Sender | undefined;
  /** @internal */
  isHeld = true;
  private readonly pool: SegmentPool;
  private view: Uint8Array | undefined;

  /** @internal */
  constructor(pool: SegmentPool, id: number, generation: number, sender?: Sender) {
    this.pool = pool;
    this.id = id;
    this.generation = generation;
    this.sender = sender;
  }

  /**
   * Its bytes, in shared memory, as the last one who had it left them; at first anything. What was kept of them after the release is the next
   * holder's memory, so ask for them anew instead. @throws ERR_NOT_HELD, ERR_CLOSED, ERR_REGION_LOST
   */
  get bytes(): Uint8Array {
    this.pool.checkHeld(this);
    return (this.view ??= this.pool.bytesOf(this.id));
  }

  /** Gives it back to the pool; never waits. @throws ERR_NOT_HELD when it was released or handed over already, ERR_CLOSED, ERR_REGION_LOST */
  release(): void {
    this.pool.giveBack(this);
  }

  /**
   * Makes it ready to be taken over by whoever gets the ticket; never waits. Until that has happened it belongs to this
   * member, which cannot use it any more: {@link SegmentPool.takeOver} takes it back, and with this member's death it is free.
   * @throws ERR_NOT_HELD, ERR_CLOSED, ERR_REGION_LOST
   */
  handOver(): SegmentTicket {
    return this.pool.handOver(this);
  }

  /** Releases if still held. */
  [Symbol.dispose](): void {
    if (this.pool.has(this)) this.release();
  }

  /** @internal */
  [INSPECTED](): string {
    return shown(this, `${this.id} of ${this.pool.address}`, this.pool.has(this) ? "" : "released");
  }
}
