import type { ObjectRef } from "../heap/object-plan.js";
import type { ObjectContext } from "../heap/named-object.js";
import { MONITOR } from "../layout/monitor.js";
import type { Blocked } from "../members/member.js";
import { timeIndex, type TimesBySlot } from "../members/wait-times.js";
import { LocalQueue, type Waitable } from "../members/waits.js";
import { MonitorObject } from "./monitor.js";
import { Turns } from "./turns.js";

const LAST_TURN = MONITOR.at.lastTurn >> 2;

/** Where a kind has what waiting in turn needs: word offsets inside the object, and its size. */
interface TurnShape {
  readonly sizeBytes: number;
  /** Member set of those who wait. */
  readonly waiters: number;
  /** By slot: the turn drawn. */
  readonly turns: number;
  /** Since when members wait for the object at a word index. */
  readonly timesAt: (base: number) => TimesBySlot;
}

/** A monitor of which members take something in the order in which they began to wait, each by itself when its turn has come. */
export abstract class ServedInTurn extends MonitorObject {
  protected readonly queue = new LocalQueue();
  /** Sync waits do not stand behind this thread's asynchronous ones: served while it blocks, those would keep what they took. */
  protected readonly syncQueue = new LocalQueue();
  protected readonly turns: Turns;
  private readonly waiters: number;
  private readonly sinceAt: number;
  /** A wait has lasted for a while: whom it finds holding now is noted. */
  private hasLasted = false;
  /** Whether a Sync wait went before this thread's asynchronous ones, which have drawn another turn for that. */
  private wasOvertaken = false;

  /** @internal */
  constructor(context: ObjectContext, ref: ObjectRef, { sizeBytes, waiters, turns, timesAt }: TurnShape) {
    super(context, ref, sizeBytes);
    this.waiters = waiters;
    this.sinceAt = timeIndex(timesAt(this.base), this.member.slot);
    this.turns = new Turns(this.member, this.base, this.base + turns);
  }

  protected waitable<T>(what: string, queue: LocalQueue, attempt: () => T | Blocked): Waitable<T> {
    return {
      sinceAt: this.sinceAt,
      what: `waiting for ${what} of ${this.address}`,
      queue,
      owner: this,
      attempt,
      // Whose turn it is looks again now and then: who was to ring it may have been stopped before it did.
      remains: (set) => (set === this.lockSet ? this.lockIsFree : this.turns.first() === this.member.slot),
      lasts: () => {
        this.hasLasted = true;
      },
      givenUp: () => {
        if (this.queue.waits.length === 0 && this.syncQueue.waits.length === 0) this.turns.giveUp();
      },
    };
  }

  /** Slot of the member whose turn it is before this one's, -1 when it is this one's. Within an attempt's `act`, as all below. */
  protected before(): number {
    const first = this.turns.first();
    return first === this.member.slot ? -1 : first;
  }

  /**
   * A wait of a queue was served: its turn is over. This member's other waits stand at the end; but where Sync waits go before
   * them again and again, they keep every other turn, so that they are served when the thread lets them.
   */
  protected served(queue: LocalQueue): void {
    const own = this.member.queued && queue === this.queue ? 1 : 0;
    if (this.queue.waits.length === own) this.write(this.turns.own, 0);
    else if (queue === this.queue || !this.wasOvertaken) this.draw();
    this.wasOvertaken = queue === this.syncQueue && !this.wasOvertaken && this.queue.waits.length > 0;
  }

  private draw(): void {
    const turn = this.turns.next;
    this.write(LAST_TURN, turn);
    this.write(this.turns.own, turn);
  }

  /** Ends the attempt: waits behind the member of a slot, or, with -1, as the first, until somebody rings or a moment has come. */
  protected waitMyTurn(before: number, until?: number): Blocked {
    if (this.member.queued) this.noteWaiting();
    return this.waitIn(this.waiters, before, until);
  }

  private noteWaiting(): void {
    const isNew = this.turns.of(this.member.slot) === 0;
    if (isNew) this.draw();
    if (!isNew && !this.hasLasted) return;
    this.hasLasted = false;
    this.noteHolders();
  }

  /** This member has begun to wait, or has waited for a while: notes for onlookers whom it finds with what it waits for. */
  protected noteHolders(): void {
    return;
  }
}
