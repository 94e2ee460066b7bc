import * as words from "#words";
import { ShmkitError } from "../base/errors.js";
import { checkResult, ERRNO } from "../base/system-errors.js";
import { pauseSync } from "../base/pause.js";
import { native } from "../native/addon.js";
import { StatusWord } from "../native/contract.js";
import { LOCK_BASE, MEMBER_LIMIT, RegionState } from "../layout/region-header.js";
import { SlotState } from "../layout/member-slot.js";
import { Directory } from "../heap/directory.js";
import { PAGE_WORDS, PageHeap } from "../heap/page-heap.js";
import { unlinkIfSame } from "../memory/named-file.js";
import type { Segment } from "../memory/segment.js";
import { Deaths } from "../members/deaths.js";
import { ringEverybody } from "../members/doorbell.js";
import { Member } from "../members/member.js";
import { joinedHere, leftHere } from "../members/thread-members.js";
import { HEADER, SLOT, slotWord, type Geometry } from "../members/region-words.js";
import { Waits } from "../members/waits.js";
import { checkPinHolds } from "./file-system.js";
import { KIND_TABLE } from "./kinds.js";
import { RegionRecovery } from "./recovery.js";
import { anybodyAlive, tryLockAttach, unlockAttach } from "../memory/attach-lock.js";

/** A slot in a region with everything that works on it. */
export class Membership {
  readonly member: Member;
  readonly heap: PageHeap;
  readonly directory: Directory;
  readonly recovery: RegionRecovery;
  readonly deaths: Deaths;
  readonly waits: Waits;

  /** @param slot -1 for somebody who recovers the dead before there is a slot */
  constructor(
    readonly segment: Segment,
    readonly descriptor: number,
    readonly geometry: Geometry,
    readonly name: string,
    slot: number,
  ) {
    this.member = new Member(segment, geometry, descriptor, slot, name);
    this.heap = new PageHeap(this.member);
    this.directory = new Directory(this.member, this.heap);
    this.directory.emptying = (kind, page) => {
      const place = { member: this.member, heap: this.heap, page, base: page * PAGE_WORDS, address: "" };
      KIND_TABLE[kind].empty?.(place);
    };
    this.recovery = new RegionRecovery(this.member, this.heap, this.directory);
    this.deaths = new Deaths(this.member, this.recovery);
    this.waits = new Waits(this.member, this.deaths);
    this.member.onInterrupted = () => this.deaths.recoverSelf();
  }

  /** Starts the doorbell's thread, the notice of death, and what happens if the environment ends without `close`. */
  start(path: string, unlinkWhenLast: boolean): void {
    const { member, segment, descriptor } = this;
    native.setExitPlan(segment.id, descriptor, {
      path: unlinkWhenLast ? path : "",
      attachLockOffset: LOCK_BASE,
      livenessOffset: LOCK_BASE + 1,
      livenessCount: MEMBER_LIMIT,
      stateOffset: HEADER.state * 4,
      closedValue: RegionState.closed,
    });
    const sample = words.loadFresh(segment.words, member.bell);
    checkResult(
      native.startWaiter(segment.id, member.bellOffset, member.armedOffset, sample, () => this.onBell()),
      "starting the doorbell's thread",
      path,
    );
    this.deaths.noticed = native.watchDeaths(segment.id, descriptor) === 0;
    joinedHere(member);
  }

  private onBell(): void {
    words.store(this.segment.status, StatusWord.drainPosted, 0);
    if (this.member.closed) return;
    if (!this.segment.lost) this.deaths.lookFromEventLoop();
    this.waits.drain();
  }

  /**
   * Leaves: gives back everything this member holds, frees the slot, and takes the name away with the last one.
   * Answers what `closeFile` does: the last close of a big region's file takes long, since it frees the memory.
   */
  leave(
    path: string,
    unlinkWhenLast: boolean,
    closeFile: (descriptor: number) => unknown = (open) => native.close(open),
  ): unknown {
    const { segment, descriptor } = this;
    if (this.left) return undefined;
    this.deaths.stop();
    if (!segment.lost && !this.slotFreed) this.giveBack();
    this.member.closed = true;
    leftHere(this.member);
    let closing: unknown;
    try {
      this.leaveName(path, unlinkWhenLast);
    } finally {
      segment.close();
      this.left = true;
      unlockAttach(descriptor);
      closing = closeFile(descriptor);
    }
    return closing;
  }

  private leaveName(path: string, unlinkWhenLast: boolean): void {
    const { member, segment, descriptor } = this;
    const locked = this.lockAttachForLeaving(path);
    // First: repeated after a cut-off, leaving must not touch a slot that may be somebody else's by now.
    const freed = this.slotFreed;
    this.slotFreed = true;
    if (!segment.lost && !freed)
      words.store(segment.words, slotWord(this.geometry, member.slot) + SLOT.state, SlotState.free);
    native.unpin(segment.id);
    if (!locked || !unlinkWhenLast || anybodyAlive(descriptor)) return;
    if (!segment.lost) words.store(segment.words, HEADER.state, RegionState.closed);
    // Another user's name in a sticky directory stays, marked closed, until its owner opens or cleans.
    unlinkIfSame(descriptor, path, true);
  }
  private slotFreed = false;
  private left = false;

  private giveBack(): void {
    const { member, recovery } = this;
    try {
      // Cut off in an operation, it undoes that first.
      if (member.inOperation) member.onInterrupted();
      recovery.release(member.slot, false);
      if (!member.closed) recovery.sweep();
      ringEverybody(member);
    } catch {
      // What is corrupt cannot be given back; leaving must work all the same.
    }
  }

  /** Bounded: a stopped process that holds the byte must not stop others from leaving; the next opener then cleans up. */
  private lockAttachForLeaving(path: string): boolean {
    for (let i = 0; i < 50; i++) {
      if (tryLockAttach(this.descriptor, path)) return true;
      pauseSync(2);
    }
    return false;
  }
}

/**
 * Takes a slot in a mapped region: the liveness byte first, then the state word. Attach byte held.
 * @throws ERR_TOO_MANY_MEMBERS
 */
export function join(
  segment: Segment,
  descriptor: number,
  geometry: Geometry,
  name: string,
  label: Uint8Array,
): Membership {
  const shared = segment.words;
  for (let round = 0; ; round++) {
    let beingRecovered = false;
    for (let slot = 0; slot < geometry.maxMembers; slot++) {
      const base = slotWord(geometry, slot);
      if (words.load(shared, base + SLOT.state) !== SlotState.free) continue;
      const pinned = native.pin(segment.id, descriptor, LOCK_BASE + 1 + slot);
      if (pinned === -ERRNO.again) {
        beingRecovered = true;
        continue;
      }
      checkResult(pinned, "locking the liveness byte", segment.path);
      if (words.load(shared, base + SLOT.state) !== SlotState.free) {
        native.unpin(segment.id);
        continue;
      }
      checkPinHolds(native.probe(descriptor, LOCK_BASE + 1 + slot, 1) === 1, segment.path);
      // SYNC POINT: before anything that the member does; pairs with Member.slotsUsed
      if (words.load(shared, HEADER.slotsUsed) >>> 0 <= slot) words.store(shared, HEADER.slotsUsed, slot + 1);
      fillSlot(segment, base, label);
      return new Membership(segment, descriptor, geometry, name, slot);
    }
    // Every slot is taken: perhaps by the dead.
    const nobody = new Membership(segment, descriptor, geometry, name, -1);
    if (nobody.deaths.recoverTheDead()) continue;
    if (!beingRecovered || round >= 50) break;
    pauseSync(1);
  }
  throw new ShmkitError(
    "ERR_TOO_MANY_MEMBERS",
    `${name} has ${geometry.maxMembers} members already; close one, or create the region with a larger maxMembers`,
    { path: name, expected: geometry.maxMembers },
  );
}

function fillSlot(segment: Segment, base: number, label: Uint8Array): void {
  const shared = segment.words;
  words.add(shared, HEADER.attachments, 1);
  words.write(shared, base + SLOT.generation, words.read(shared, base + SLOT.generation) + 1);
  words.write(shared, base + SLOT.pid, process.pid);
  words.write(shared, base + SLOT.threadId, native.threadId());
  words.writeFloat(segment.floats, base / 2 + SLOT.startTime, native.startTime());
  words.writeFloat(segment.floats, base / 2 + SLOT.joinedAt, Date.now());
  words.write(shared, base + SLOT.labelBytes, label.length);
  words.copyIn(segment, base * 4 + SLOT.label, label, 0, label.length);
  words.write(shared, base + SLOT.effect, 0);
  words.write(shared, base + SLOT.operation, 0);
  words.write(shared, base + SLOT.ledgerPage, 0);
  words.write(shared, base + SLOT.reaping, 0);
  words.store(shared, base + SLOT.armed, 0);
  // SYNC POINT: who it is becomes visible with the slot; pairs with whoever recovers or lists it
  words.store(shared, base + SLOT.state, SlotState.active);
}
