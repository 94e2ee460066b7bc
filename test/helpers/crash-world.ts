/**
 * A region with several members in one thread, each attached on its own, that can be put back to how it was in a moment:
 * its bytes, its members' liveness, and fresh objects of the library for each member.
 */
import assert from "node:assert/strict";
import { Region, type MemberDeath, type RegionOptions } from "shmkit";
import { ShmkitError } from "#src/base/errors.js";
import { MEMBER_SLOT, operationPhase, Phase, SLOT_BYTES, SlotState } from "#src/layout/member-slot.js";
import { LOCK_BASE, PAGE_BYTES, REGION_HEADER } from "#src/layout/region-header.js";
import { Segment } from "#src/memory/segment.js";
import type { Geometry } from "#src/members/region-words.js";
import { LocalQueue } from "#src/members/waits.js";
import type { NamedObject } from "#src/heap/named-object.js";
import { native } from "#src/native/addon.js";
import { StatusWord } from "#src/native/contract.js";
import { leftHere } from "#src/members/thread-members.js";
import { join, Membership } from "#src/region/membership.js";
import { Agent } from "../instruments/agent.js";
import { dispose, instrumentSystem, releaseAsKernel, system, whileParked } from "../instruments/system.js";
import { audit, type Audit } from "./crash-audit.js";
import { uniqueRegionName } from "./leftovers.js";

instrumentSystem();

/** Parts of the library's objects that tests reach into. */
interface RegionInside {
  readonly membership: Membership;
  readonly handles: Map<string, NamedObject>;
}
const inside = (region: Region): RegionInside => region as unknown as RegionInside;

type AttachedFacts = Pick<Region, "path" | "lifetime" | "createdAt" | "epoch">;
const RegionOf = Region as unknown as new (
  name: string,
  attached: AttachedFacts & { membership: Membership; created: boolean },
) => Region;

/** For waits that nobody looks at any more. */
const OVER = new ShmkitError("ERR_CLOSED", "the scene is over");

/** One member. */
export class Actor {
  readonly agent: Agent;
  readonly deaths: MemberDeath[] = [];
  region!: Region;
  membership!: Membership;
  private segment: Segment;
  private descriptor: number;
  private readonly geometry: Geometry;
  private readonly facts: AttachedFacts;
  private needsPin = false;

  constructor(
    readonly label: string,
    readonly slot: number,
    private readonly regionName: string,
    attach: () => Region,
  ) {
    this.agent = new Agent(label);
    const region = this.agent.do(attach);
    assert.equal(region.slot, slot);
    const { segment, descriptor, geometry } = inside(region).membership;
    this.segment = segment;
    this.descriptor = descriptor;
    this.geometry = geometry;
    this.facts = { path: region.path, lifetime: region.lifetime, createdAt: region.createdAt, epoch: region.epoch };
    // The actors are of one thread, but go on while one of them sleeps.
    leftHere(inside(region).membership.member);
    this.renew(inside(region).membership);
  }

  get bytes(): Uint8Array {
    return this.segment.bytes;
  }

  /** Runs code as this member. */
  do<T>(code: () => T): T {
    return this.agent.do(code);
  }

  private renew(membership: Membership): void {
    this.membership = membership;
    // A Sync wait tries many times before it sleeps: once shows as much.
    Object.assign(membership.waits, { spins: 1 });
    this.region = new RegionOf(this.regionName, { ...this.facts, membership, created: false });
    this.deaths.length = 0;
    // The region would tell its listeners later, from the event loop.
    membership.deaths.onDeath = (death) => this.deaths.push(death);
  }

  /** Forgets everything the member had going on, without any effect on the region. */
  abandon(): void {
    this.agent.kill();
    this.membership.waits.rejectAll(OVER);
    this.membership.deaths.stop();
  }

  /** Its memory goes away, as the guard answers a truncation: flag first, then pages that are nobody else's. */
  lose(): void {
    this.segment.status[StatusWord.lost] = 1;
    system.closeMapping(this.segment.id);
    this.agent.mappings.delete(this.segment.id);
  }

  /** Dies, as far as the others can tell. */
  die(): void {
    this.abandon();
    releaseAsKernel(this.agent);
    this.needsPin = true;
  }

  /** Gives up whatever it holds that it did not hold at first. */
  release(): void {
    this.abandon();
    if (this.needsPin) releaseAsKernel(this.agent);
  }

  /** A member again, after {@link release} and after the bytes were put back. */
  restore(): void {
    this.agent.arm();
    this.reattach();
    if (this.needsPin) {
      assert.equal(system.pin(this.segment.id, this.descriptor, LOCK_BASE + 1 + this.slot), 0);
      this.needsPin = false;
    }
    this.renew(this.do(() => new Membership(this.segment, this.descriptor, this.geometry, this.regionName, this.slot)));
  }

  private reattach(): void {
    if (this.agent.mappings.has(this.segment.id)) return;
    dispose(this.agent);
    this.agent.arm();
    this.do(() => {
      this.descriptor = native.openExisting(this.facts.path, true);
      this.segment = new Segment(this.descriptor, this.geometry.maxPages * PAGE_BYTES, this.facts.path, {
        writable: true,
        shared: false,
      });
    });
    this.needsPin = true;
  }

  /** Joins anew after its death, as another member that takes a free slot. */
  joinAgain(): void {
    this.agent.arm();
    this.reattach();
    this.needsPin = true;
    const label = new TextEncoder().encode("newcomer");
    this.renew(this.do(() => join(this.segment, this.descriptor, this.geometry, this.regionName, label)));
  }

  /**
   * Keeps what a vm timeout would leave as it is now, which runs neither `catch` nor `finally`; the result puts it back,
   * since a stop unwinds through them.
   */
  cut(): () => void {
    const { member, waits, deaths } = this.membership;
    const { handles } = this;
    const queues = handles.flatMap(Object.values).filter((value) => value instanceof LocalQueue);
    const objects: object[] = [member, waits, deaths, ...handles, ...queues, ...queues.flatMap((queue) => queue.waits)];
    const kept = objects.map((object) =>
      Object.fromEntries(Object.entries(object).map(([key, value]) => [key, bookOf(value)])),
    );
    return () => objects.forEach((object, i) => Object.assign(object, kept[i]));
  }

  get handles(): NamedObject[] {
    return [...inside(this.region).handles.values()];
  }

  isAlive(slot: number): boolean {
    if (slot === this.slot) return true;
    return system.probe(this.descriptor, LOCK_BASE + 1 + slot, 1) === 1;
  }

  /** What the doorbell's thread calls on the event loop, unless a call is on its way already. */
  bell(): void {
    const { status } = this.segment;
    if (status[StatusWord.drainPosted] !== 0) return;
    status[StatusWord.drainPosted] = 1;
    (this.membership as unknown as { onBell(): void }).onBell();
  }

  end(): void {
    this.abandon();
    dispose(this.agent);
  }
}

/** A copy of what a member keeps its books in, anything else as it is. */
function bookOf(value: unknown): unknown {
  if (Array.isArray(value)) return [...(value as unknown[])];
  if (value instanceof Map) return new Map(value);
  return value instanceof Set ? new Set(value) : value;
}

const LABELS = ["ann", "ben", "cat", "dan", "eve", "fay"];

/** The region and its members; `ben` (slot 1) is the one that dies. */
export class World {
  readonly name = uniqueRegionName("crash");
  readonly actors: Actor[] = [];
  /** The harness' own view of the region, beside those of the members. */
  readonly ground: Uint8Array;
  readonly words: Int32Array;
  private readonly image: Uint8Array;

  constructor(options: RegionOptions, furnish: (world: World) => void = () => undefined, members = 4) {
    for (const [slot, label] of LABELS.slice(0, members).entries()) {
      const all = { ...options, maxMembers: options.maxMembers ?? members, label };
      this.actors.push(
        new Actor(label, slot, this.name, () =>
          slot === 0 ? Region.createSync(this.name, all) : Region.openSync(this.name, { label }),
        ),
      );
    }
    furnish(this);
    const descriptor = system.openExisting(this.first.region.path, true);
    const mapping = system.map(descriptor, this.first.bytes.length, true, false, false);
    system.close(descriptor);
    assert.ok(typeof mapping !== "number");
    this.ground = new Uint8Array(mapping.buffer);
    this.words = new Int32Array(mapping.buffer);
    const committed = this.words[REGION_HEADER.at.committedPages >> 2];
    this.image = this.ground.slice(0, committed * PAGE_BYTES);
    this.restore();
  }

  get first(): Actor {
    return this.actors[0];
  }
  get victim(): Actor {
    return this.actors[1];
  }

  /** Puts everything back to how it was when the world had been furnished. */
  restore(): void {
    whileParked(() => undefined);
    this.ground.set(this.image);
    for (const actor of this.actors) actor.release();
    for (const actor of this.actors) actor.restore();
  }

  /** A word of a member's slot. */
  slotWord(slot: number, field: keyof typeof MEMBER_SLOT.at): number {
    const table = this.words[REGION_HEADER.at.memberTablePage >> 2];
    return this.words[(table * PAGE_BYTES + slot * SLOT_BYTES + MEMBER_SLOT.at[field]) >> 2];
  }

  /** Whether the slot of a member is taken, by it or by somebody else. */
  isActive(slot: number): boolean {
    return this.slotWord(slot, "state") !== SlotState.free;
  }

  /** Whether what the member of a slot does is undecided. */
  isInOperation(slot: number): boolean {
    const phase = operationPhase(this.slotWord(slot, "operation"));
    return phase === Phase.begun || phase === Phase.critical;
  }

  /** Whether something rings the doorbell of a member that holds what others want. */
  ringsHolder(act: () => void): boolean {
    const { slot } = this.actors.at(-1)!;
    const before = this.slotWord(slot, "bell");
    act();
    // Stopped in a call whose promise nobody waits for, or with its memory gone, it rang nobody.
    if (this.victim.agent.isStopped) return true;
    this.victim.membership.member.checkUsable();
    return this.slotWord(slot, "bell") !== before;
  }

  /** Whether a member of that label has a slot. */
  hasMember(label: string): boolean {
    const table = this.words[REGION_HEADER.at.memberTablePage >> 2];
    const { labelBytes, label: at } = MEMBER_SLOT.at;
    for (let slot = 0; slot < this.words[REGION_HEADER.at.maxMembers >> 2]; slot++) {
      const base = table * PAGE_BYTES + slot * SLOT_BYTES;
      const text = Buffer.from(this.ground.subarray(base + at, base + at + this.words[(base + labelBytes) >> 2]));
      if (this.isActive(slot) && text.toString() === label) return true;
    }
    return false;
  }

  /** Holds the lock at a word as somebody who is stopped, until the result is called. */
  hold(lock: number): () => void {
    const holder = this.actors.at(-1)!.slot + 1;
    this.words[lock] = holder;
    return () => {
      if (this.words[lock] === holder) this.words[lock] = 0;
    };
  }

  audit(witness: Actor): Audit {
    return audit(this.ground.buffer, { isAlive: (slot) => witness.isAlive(slot) });
  }

  /** Takes the region away. */
  end(): void {
    for (const actor of this.actors) actor.end();
    Region.removeSync(this.name);
  }
}
