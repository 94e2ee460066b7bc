import * as words from "#words";
import { now } from "../base/deadline.js";
import { checkResult, ERRNO } from "../base/system-errors.js";
import { native } from "../native/addon.js";
import { StatusWord } from "../native/contract.js";
import {
  DEATH_RECORDS,
  Effect,
  LABEL_BYTES,
  NO_ENTRY,
  OPERATIONS,
  operationCode,
  operationEntry,
  operationPhase,
  Phase,
  SlotState,
  type OperationName,
} from "../layout/member-slot.js";
import { MAX_OBJECT_NAME_BYTES } from "../base/arguments.js";
import { LOCK_BASE } from "../layout/region-header.js";
import type { Member } from "./member.js";
import { tell } from "./diagnostics.js";
import { ringEverybody } from "./doorbell.js";
import { DEATH, deathWord, HEADER, SLOT, slotWord } from "./region-words.js";
import type { DeathWatch } from "./waits.js";

/** What is known of a member that died. */
export interface MemberDeath {
  /** The place in the member table that it had. */
  readonly slot: number;
  /** How often that place had been taken, its time included: with `slot` it names one member for ever. */
  readonly generation: number;
  /** Process id in the dead member's own PID namespace, for people. */
  readonly pid: number;
  /** Its thread's number in the kernel (gettid(2)); that of a main thread is the pid. */
  readonly threadId: number;
  /** The label it had given itself, by default the name of its script. */
  readonly label: string;
  /** When its death was noticed, by the clock of whoever did. */
  readonly noticedAt: Date;
  /** Its last operation: `pipe.send`, … or `none`. */
  readonly operation: OperationName;
  /** Name of the object concerned, if it concerned one. */
  readonly object: string | undefined;
  /** True when it died inside that operation, false when the operation had returned. */
  readonly interrupted: boolean;
  /** True when that operation took effect, false when it did not: never half. */
  readonly committed: boolean;
}

/** How the layers above undo and release what a member left behind. Each step may be repeated after its doer died. */
export interface Recovery {
  /** Finds out whether the last operation took effect, and writes that into its operation word. Before any lock is freed. */
  settle(slot: number): void;
  /** Frees or keeps the block in the slot's ledger. */
  settleLedger(slot: number): void;
  /** Undoes journals, frees the locks, returns the leases. `own`: only what an interrupted operation of this very member holds. */
  release(slot: number, own: boolean): void;
  /** Name of a directory entry, UTF-8; empty when there is none. */
  nameOf(entry: number): Uint8Array;
  /** Frees what nobody has open any more, now that the dead one has not either. */
  sweep(): void;
}

const WINDOW_MS = 100;

/**
 * Keeps watch over the other members: probes liveness bytes on a hint, and recovers who is dead. The byte's lock alone
 * decides; elapsed time never does.
 */
export class Deaths implements DeathWatch {
  /** True where the addon notices closes of the region's file; otherwise members probe on a timer. */
  noticed = false;
  onDeath: ((death: MemberDeath) => void) | undefined;
  private hints = 0;
  private windowEnd = 0;
  private windowTimer: NodeJS.Timeout | undefined;
  private recovering = -1;
  private known: number;
  private readonly reported = new Set<string>();

  constructor(
    private readonly member: Member,
    private readonly recovery: Recovery,
  ) {
    this.known = words.load(member.segment.words, HEADER.deaths);
  }

  /** Looks at hints and probes if there are new ones (a hint precedes the release of the lock) or if told to. */
  look(force: boolean): number {
    const hints = words.loadFresh(this.member.segment.status, StatusWord.deathHints);
    if (hints !== this.hints) {
      this.hints = hints;
      this.windowEnd = now() + WINDOW_MS;
    }
    // The window stays open although somebody was found: two may have died, and a hint precedes the lock's release.
    const open = now() < this.windowEnd;
    try {
      if (open || force || this.recovering >= 0) this.recoverTheDead();
    } catch {
      // What is corrupt cannot be recovered; the calls that touch it say so. Nobody called for this look.
      this.windowEnd = 0;
    }
    this.report();
    return now() < this.windowEnd ? 2 : Number.POSITIVE_INFINITY;
  }

  /** Recovers the dead now; whether there were any. */
  recoverAndReport(): boolean {
    const found = this.recoverTheDead();
    this.report();
    return found;
  }

  /** The same from the event loop, which looks again by itself while a hint is fresh. */
  lookFromEventLoop(): void {
    if (this.member.closed || this.member.segment.lost) return;
    const again = this.look(false);
    if (again === Number.POSITIVE_INFINITY || this.windowTimer !== undefined) return;
    let delay = 1;
    const step = (): void => {
      this.windowTimer = undefined;
      if (this.member.closed || this.member.segment.lost) return;
      if (this.look(false) === Number.POSITIVE_INFINITY) return;
      delay = Math.min(delay * 2, 30);
      this.windowTimer = setTimeout(step, delay).unref();
    };
    this.windowTimer = setTimeout(step, delay).unref();
  }

  stop(): void {
    clearTimeout(this.windowTimer);
  }

  isAlive(slot: number): boolean {
    if (slot === this.member.slot) return true;
    return checkResult(native.probe(this.member.descriptor, LOCK_BASE + 1 + slot, 1), "fcntl(F_OFD_GETLK)") === 1;
  }

  /** Recovers every dead member; true when there was one. */
  recoverTheDead(): boolean {
    const { geometry, segment } = this.member;
    if (this.recovering >= 0) this.recover(this.recovering);
    let found = false;
    for (let again = true; again;) {
      again = false;
      for (let slot = 0; slot < geometry.maxMembers; slot++) {
        if (slot === this.member.slot) continue;
        if (words.load(segment.words, slotWord(geometry, slot) + SLOT.state) === SlotState.free) continue;
        if (this.isAlive(slot)) continue;
        if (this.recover(slot)) found = again = true;
      }
    }
    return found;
  }

  /** Recovers the dead member of a slot while holding its liveness byte. False when somebody else does, or did. */
  private recover(slot: number): boolean {
    const { segment, geometry, descriptor } = this.member;
    const shared = segment.words;
    const byte = LOCK_BASE + 1 + slot;
    const taken = native.lock(descriptor, byte);
    if (taken === -ERRNO.again) return false;
    checkResult(taken, "fcntl(F_OFD_SETLK)");
    this.recovering = slot;
    const begun = now();
    const base = slotWord(geometry, slot);
    const dead = words.load(shared, base + SLOT.state) !== SlotState.free;
    if (dead) {
      this.recovery.settle(slot);
      this.recovery.settleLedger(slot);
      this.recovery.release(slot, false);
      this.file(slot);
      ringEverybody(this.member);
      words.store(shared, base + SLOT.armed, 0);
      words.store(shared, base + SLOT.syncSet, 0);
      words.store(shared, base + SLOT.state, SlotState.free);
    }
    this.recovering = -1;
    checkResult(native.unlock(descriptor, byte), "fcntl(F_OFD_SETLK)");
    if (dead && this.member.slot >= 0) this.recovery.sweep();
    const region = this.member.regionName;
    if (dead) tell("shmkit:member:recover", () => ({ region, slot, durationMs: now() - begun }));
    return dead;
  }

  /** Enters the death into the ring of the last deaths. */
  private file(slot: number): void {
    const { segment, geometry } = this.member;
    const shared = segment.words;
    const base = slotWord(geometry, slot);
    const number = words.add(shared, HEADER.deaths, 1) >>> 0;
    const record = deathWord(geometry, number % DEATH_RECORDS);
    // SYNC POINT: the record counts no more; the load behind this keeps what is written from being seen before it. Pairs with
    // report, which looks at the sequence before and after it reads
    words.store(shared, record + DEATH.sequence, 0);
    const operation = words.load(shared, base + SLOT.operation);
    words.write(shared, record + DEATH.slot, slot);
    words.write(shared, record + DEATH.generation, words.read(shared, base + SLOT.generation));
    words.write(shared, record + DEATH.pid, words.read(shared, base + SLOT.pid));
    words.write(shared, record + DEATH.threadId, words.read(shared, base + SLOT.threadId));
    words.write(shared, record + DEATH.operation, operation);
    words.write(shared, record + DEATH.effect, words.load(shared, base + SLOT.effect));
    const labelBytes = Math.min(words.read(shared, base + SLOT.labelBytes) >>> 0, LABEL_BYTES);
    words.write(shared, record + DEATH.labelBytes, labelBytes);
    words.writeFloat(segment.floats, record / 2 + DEATH.noticedAt, Date.now());
    const label = words.copy(segment, base * 4 + SLOT.label, labelBytes);
    words.copyIn(segment, record * 4 + DEATH.label, label, 0, label.length);
    const name =
      operationEntry(operation) === NO_ENTRY ? new Uint8Array(0) : this.recovery.nameOf(operationEntry(operation));
    words.write(shared, record + DEATH.nameBytes, name.length);
    words.copyIn(segment, record * 4 + DEATH.name, name, 0, name.length);
    // SYNC POINT: publishes the record; pairs with report
    words.store(shared, record + DEATH.sequence, (number + 1) | 0);
  }

  /** Tells the region of deaths that were filed since it looked last; once each, although two recoverers may file one. */
  private report(): void {
    const { segment, geometry } = this.member;
    const filed = words.load(segment.words, HEADER.deaths);
    if (this.onDeath === undefined || (filed === this.known && this.unfinished.size === 0)) return;
    // The count wraps.
    const fresh = Math.min((filed - this.known) >>> 0, DEATH_RECORDS);
    for (let back = fresh; back > 0; back--) this.unfinished.add((filed - back) >>> 0);
    this.known = filed;
    for (const number of [...this.unfinished]) {
      if ((filed - number) >>> 0 > DEATH_RECORDS) this.unfinished.delete(number);
      const record = deathWord(geometry, number % DEATH_RECORDS);
      if (words.load(segment.words, record + DEATH.sequence) !== ((number + 1) | 0)) continue;
      const death = this.readRecord(record);
      // SYNC POINT: the record was read before; pairs with the next one in its place, whose writer stores 0 first
      if (words.loadBehind(segment.words, record + DEATH.sequence) !== ((number + 1) | 0)) continue;
      this.unfinished.delete(number);
      const key = `${death.slot}:${death.generation}`;
      if (this.reported.has(key)) continue;
      this.reported.add(key);
      if (this.reported.size > 4 * DEATH_RECORDS) this.reported.delete(this.reported.values().next().value!);
      this.onDeath(death);
    }
  }
  private readonly unfinished = new Set<number>();

  private readRecord(record: number): MemberDeath {
    const { segment } = this.member;
    const shared = segment.words;
    const operation = words.read(shared, record + DEATH.operation);
    const text = (offset: number, length: number, limit: number): string =>
      Buffer.from(words.copy(segment, record * 4 + offset, Math.min(length >>> 0, limit))).toString();
    const effect = words.read(shared, record + DEATH.effect);
    const name = text(DEATH.name, words.read(shared, record + DEATH.nameBytes), MAX_OBJECT_NAME_BYTES);
    return {
      slot: words.read(shared, record + DEATH.slot),
      generation: words.read(shared, record + DEATH.generation) >>> 0,
      pid: words.read(shared, record + DEATH.pid),
      threadId: words.read(shared, record + DEATH.threadId),
      label: text(DEATH.label, words.read(shared, record + DEATH.labelBytes), LABEL_BYTES),
      noticedAt: new Date(words.readFloat(segment.floats, record / 2 + DEATH.noticedAt)),
      operation: OPERATIONS[operationCode(operation)] ?? "none",
      object: name === "" ? undefined : name,
      interrupted: effect !== Effect.idle,
      committed:
        effect === Effect.committed || (effect === Effect.idle && operationPhase(operation) === Phase.committed),
    };
  }

  /**
   * Undoes or completes this member's own operation after a vm timeout cut it off. Cut off itself, it runs again at the
   * next operation: only an exception runs the `finally`.
   */
  recoverSelf(): void {
    const { member, recovery } = this;
    if (member.closed || member.segment.lost) {
      member.inOperation = false;
      return;
    }
    try {
      if (this.recovering >= 0) this.recover(this.recovering);
      recovery.settle(member.slot);
      recovery.settleLedger(member.slot);
      recovery.release(member.slot, true);
      ringEverybody(member);
    } finally {
      member.inOperation = false;
    }
  }
}
