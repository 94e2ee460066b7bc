import * as words from "#words";
import { ShmkitError } from "../base/errors.js";
import { operationCode, packOperation, Phase } from "../layout/member-slot.js";
import { MEMBER_LIMIT } from "../layout/region-header.js";
import type { Segment } from "../memory/segment.js";
import { HEADER, SLOT, slotWord, type Geometry } from "./region-words.js";

const BEGUN = packOperation(0, Phase.begun, 0, 0);
const COMMITTED = packOperation(0, Phase.committed, 0, 0);

/** What an attempt answers when it has to wait; the member's `blockedOn` says for what. */
export const BLOCKED: unique symbol = Symbol("blocked");
export type Blocked = typeof BLOCKED;

/**
 * This thread's membership in a region: its slot, and the record of what it is doing. Operations are synchronous
 * stretches: `begin`, then at most one `critical` … `committed` per lock, then `end`. No user code runs in between.
 */
export class Member {
  /** Slot + 1: how locks, leases and blocks name this member. */
  readonly me: number;
  readonly bell: number;
  readonly armed: number;
  /** Byte offset of the doorbell, for the addon. */
  readonly bellOffset: number;
  readonly armedOffset: number;
  readonly ledger: number;
  readonly argument: number;
  private readonly syncSet: number;
  private readonly syncWaits: number;
  private readonly reaping: number;
  /** Member set that the attempt which just answered BLOCKED wants to wait in. */
  blockedOn = 0;
  /** The lock it waits for, or 0: its owner is rung now and then, since it may have been cut off inside an operation. */
  blockedLock = 0;
  /** Slot + 1 of the member whose turn comes first, or 0: it is rung likewise. */
  blockedBehind = 0;
  /** When to try again although nobody rang, by the clock of deadlines. */
  blockedUntil = Number.POSITIVE_INFINITY;
  /** Whether the attempt under way is that of a registered wait: what it draws to wait its turn is given up when the wait ends. */
  queued = false;
  /** True between `begin` and `end`. Found true at the next `begin`, the operation was cut off (a vm timeout). */
  inOperation = false;
  closed = false;
  /** By slot: the armed word and the doorbell as this member's last ring found and left them. */
  readonly rungArmed = new Int32Array(MEMBER_LIMIT);
  readonly rungBell = new Int32Array(MEMBER_LIMIT);
  /** Where the next ring of one among several begins: another one each time. */
  rotation = 0;
  /** Undoes or completes this member's own cut-off operation; set by the region. */
  onInterrupted: () => void = () => undefined;
  private readonly operation: number;
  /** Code and entry of the operation, as they stand in its record. */
  private record = 0;
  private readonly words: words.Words;

  constructor(
    readonly segment: Segment,
    readonly geometry: Geometry,
    readonly descriptor: number,
    readonly slot: number,
    readonly regionName: string,
  ) {
    this.words = segment.words;
    const base = slotWord(geometry, slot);
    this.me = slot + 1;
    this.bell = base + SLOT.bell;
    this.armed = base + SLOT.armed;
    this.bellOffset = this.bell * 4;
    this.armedOffset = this.armed * 4;
    this.ledger = base + SLOT.ledgerPage;
    this.argument = base + SLOT.argument;
    this.reaping = base + SLOT.reaping;
    this.operation = base + SLOT.operation;
    this.syncSet = base + SLOT.syncSet;
    this.syncWaits = base + SLOT.syncWaits;
  }

  /**
   * How many slots have been in use so far, counted from the first: what members have in words of their own, by slot, they
   * have in those. Whoever joins behind this load finds what was stored before it.
   */
  get slotsUsed(): number {
    return Math.min(words.load(this.words, HEADER.slotsUsed) >>> 0, this.geometry.maxMembers);
  }

  /** @throws ERR_CLOSED, ERR_REGION_LOST */
  checkUsable(): void {
    if (this.closed)
      throw new ShmkitError("ERR_CLOSED", `the region ${this.regionName} is closed; open it again`, {
        path: this.regionName,
      });
    this.segment.checkNotLost();
  }

  /** Begins an operation on a directory entry. Locks come after this. */
  begin(code: number, entry: number): void {
    if (this.inOperation) this.onInterrupted();
    this.checkUsable();
    const record = packOperation(code, Phase.none, 0, entry);
    this.record = record;
    words.storeRelease(this.words, this.operation, record | BEGUN);
    // Last: cut off before this, the operation has done nothing; cut off after it, its own record is there.
    this.inOperation = true;
  }

  /** The lock is held; the publishing word may change from here on. `counter` is its value, or anything for state words. */
  critical(counter: number): void {
    words.storeRelease(this.words, this.operation, this.record | packOperation(0, Phase.critical, counter, 0));
  }

  /** Tells others that this thread goes to sleep in a wait of its own, another one than before. */
  sleeps(): void {
    words.write(this.words, this.syncWaits, words.read(this.words, this.syncWaits) + 1);
  }

  /** Tells others in which set it sleeps, 0 for none. */
  sleepsIn(set: number): void {
    words.storeRelease(this.words, this.syncSet, set);
  }

  /** Names the directory entry the operation turned out to concern. */
  concerns(entry: number): void {
    this.record = packOperation(operationCode(this.record), Phase.none, 0, entry);
  }

  /** The same under another code: what the operation turned into. */
  criticalAs(code: number, entry: number, counter: number): void {
    words.storeRelease(this.words, this.operation, packOperation(code, Phase.critical, counter, entry));
  }

  /** The publishing word has changed; called before the lock is released. */
  committed(): void {
    words.storeRelease(this.words, this.operation, this.record | COMMITTED);
  }

  /** The operation turned into another one, which is committed. */
  committedAs(code: number, entry: number): void {
    words.storeRelease(this.words, this.operation, packOperation(code, Phase.committed, 0, entry));
  }

  /** Says which removed object this member is freeing, -1 for none; whatever else it does stays on record. */
  reap(entry: number): void {
    words.storeRelease(this.words, this.reaping, entry + 1);
  }

  /** Begins work of the member's own accord: its last operation stays on record. */
  beginAside(): void {
    if (this.inOperation) this.onInterrupted();
    this.checkUsable();
    this.inOperation = true;
  }

  /** Nothing has changed, whatever was held meanwhile. */
  withdrawn(): void {
    words.storeRelease(this.words, this.operation, this.record);
  }

  /** Ends the operation. @throws ERR_REGION_LOST when the memory went away meanwhile, so that nothing read from it counts. */
  end(): void {
    this.inOperation = false;
    if (this.segment.lost) throw this.segment.lostError();
  }

  /** Ends an attempt that began no operation, having looked only. */
  waiting(set: number): Blocked {
    this.blockedOn = set;
    this.blockedLock = 0;
    this.blockedBehind = 0;
    this.blockedUntil = Number.POSITIVE_INFINITY;
    return BLOCKED;
  }

  /**
   * Undoes whatever a failed attempt began (locks included) and passes the error on. What was read from memory that went
   * away meanwhile is none: then ERR_REGION_LOST.
   */
  failed(error: unknown): never {
    if (this.inOperation) this.onInterrupted();
    this.segment.checkNotLost();
    throw error;
  }

  /** Ends an attempt that has to wait for a change of an object; `behind`: slot + 1 of who goes first; `until`: when it need not wait any more. */
  blocked(set: number, behind = 0, until = Number.POSITIVE_INFINITY): Blocked {
    this.blockedOn = set;
    this.blockedLock = 0;
    this.blockedBehind = behind;
    this.blockedUntil = until;
    this.withdrawn();
    this.end();
    return BLOCKED;
  }
}
