import * as words from "#words";
import { now } from "../base/deadline.js";
import { type DeadlockedMember, ShmkitError } from "../base/errors.js";
import type { ObjectContext } from "../heap/named-object.js";
import { memberText, readMember, type MemberInfo } from "../members/member-info.js";
import { inSet } from "../members/member-set.js";
import { SLOT, slotWord } from "../members/region-words.js";
import { type Keeper, waitPointsOf, type WaitPoint } from "./wait-points.js";

/**
 * How long a circle in which somebody waits asynchronously has to stand: another task of that thread may still release.
 * Less than the second between two looks of an asynchronous wait, so that the second one suffices.
 */
export const PRESUMED_MS = 900;
/** By how much later than the one whose wait began before its own a member speaks up, should that one be stopped. */
const TURN_MS = { certain: 200, presumed: 1500 } as const;
/** Between two looks while there is no circle. */
const MAX_PAUSE_MS = 1000;
const FIRST_PAUSE_MS = 50;
/** More links are never remembered: there are so many in damaged regions alone. */
const MAX_SIGHTINGS = 4096;

/** A member that keeps the one before it in a circle waiting, and waits itself. */
interface Link {
  readonly slot: number;
  /** Of its member: the slot may be another's by the time that it is told. */
  readonly generation: number;
  /** Where it keeps that one waiting. */
  readonly has: WaitPoint;
  readonly waitsFor: WaitPoint;
  /** Its thread sleeps in that wait, so that it cannot release anything before the wait ends. */
  readonly certain: boolean;
  /** Since when it has been seen so, without a break; by the clock of deadlines. Undefined: for the first time. */
  readonly since: number | undefined;
  /** Whether it has been awake since. */
  readonly wasAwake: boolean;
}

/** What a link was when it was seen first: by its numbers, the same ever since. */
interface Sighting {
  readonly numbers: string;
  readonly at: number;
  /** How often its member had armed then. */
  readonly armed: number;
}

/**
 * Finds out whether a wait can never end, since members wait for each other in a circle. It costs nothing until a wait has
 * lasted for 50 ms; then it reads, without locks, who has what and who waits for it.
 *
 * What is read piece by piece may never have been there as a whole. So a circle is told of links alone that an earlier
 * look has seen already, and of which the numbers of what is had and of the wait say that they have lasted since: then all
 * of them were there between the two looks. Others that come and go, at the same objects too, do not matter.
 *
 * A thread that sleeps in a wait releases nothing before the wait ends: a circle of such members stands for ever, and is
 * told as soon as each of them has been seen awake in between, inside its wait. A member that waits asynchronously may
 * release from another task: a link with one has to last for a second. So has one with a member that is stopped.
 */
export class DeadlockWatch {
  private sightings = new Map<string, Sighting>();
  private pauseMs = FIRST_PAUSE_MS;
  private nextLook = 0;

  /** @param waited what this member waits for */
  constructor(
    private readonly context: ObjectContext,
    private readonly waited: WaitPoint,
  ) {}

  /** Another wait begins. */
  reset(): void {
    this.sightings.clear();
    this.pauseMs = FIRST_PAUSE_MS;
    this.nextLook = 0;
  }

  /** Looks, unless it did a moment ago. @param sync whether this thread sleeps in the wait @throws ERR_DEADLOCK */
  look(sync: boolean): void {
    const time = now();
    if (time < this.nextLook) return;
    const links = this.links(sync, time);
    const circle = this.find(
      links,
      (link) => link.since !== undefined && (isCertain(link) || time - link.since >= PRESUMED_MS),
    );
    if (circle !== undefined) {
      const standing = time - Math.max(...circle.map(({ since }) => since!));
      const turn = this.turnIn(circle);
      if (standing >= (circle.every(isCertain) ? TURN_MS.certain * turn : PRESUMED_MS + TURN_MS.presumed * turn))
        this.tell(circle);
    } else if (this.find(links, () => true) === undefined) {
      this.nextLook = time + this.pauseMs;
      this.pauseMs = Math.min(this.pauseMs * 2, MAX_PAUSE_MS);
    }
  }

  private word(slot: number, word: number): number {
    const { segment, geometry } = this.context.member;
    return words.load(segment.words, slotWord(geometry, slot) + word);
  }

  /** All links that lead from what this member waits for, by where and who waits. */
  private links(sync: boolean, time: number): ReadonlyMap<string, readonly Link[]> {
    const points = this.points();
    const { slot: self, geometry } = this.context.member;
    const links = new Map<string, readonly Link[]>();
    const collect = (point: WaitPoint, waiter: number): void => {
      if (links.has(keyOf(point, waiter))) return;
      const found = point
        .keepers(waiter)
        .filter(({ slot }) => slot >= 0 && slot < geometry.maxMembers && slot !== waiter)
        .flatMap((keeper) => this.linksOf(keeper, point, waiter, points, sync, time));
      links.set(keyOf(point, waiter), found);
      for (const { slot, waitsFor } of found) if (slot !== self) collect(waitsFor, slot);
    };
    collect(this.waited, self);
    return links;
  }

  /** A circle of some of the links that begins with this member and its wait; undefined when there is none. */
  private find(
    links: ReadonlyMap<string, readonly Link[]>,
    counts: (link: Link) => boolean,
  ): readonly Link[] | undefined {
    const { slot: self } = this.context.member;
    const passed = new Set<string>();
    const follow = (key: string, path: readonly Link[]): readonly Link[] | undefined => {
      passed.add(key);
      for (const link of links.get(key)?.filter(counts) ?? []) {
        if (link.slot === self) return [link, ...path];
        const next = keyOf(link.waitsFor, link.slot);
        const found = passed.has(next) ? undefined : follow(next, [...path, link]);
        if (found !== undefined) return found;
      }
      return undefined;
    };
    return follow(keyOf(this.waited, self), []);
  }

  private points(): readonly WaitPoint[] {
    try {
      return waitPointsOf(this.context.member, this.context.directory.list());
    } catch (error) {
      // Another object's entry is corrupt; whoever touches that is told.
      if (error instanceof ShmkitError) return [];
      throw error;
    }
  }

  /** What a member waits for that keeps another one waiting; of this one, the wait that is looked at. */
  private linksOf(
    { slot, byWaiting }: Keeper,
    has: WaitPoint,
    waiter: number,
    points: readonly WaitPoint[],
    sync: boolean,
    time: number,
  ): readonly Link[] {
    const { slot: self, segment } = this.context.member;
    const sleepsIn = slot === self ? 0 : this.word(slot, SLOT.syncSet);
    const certain = slot === self ? sync : sleepsIn !== 0;
    const candidates =
      slot === self
        ? [this.waited]
        : points.filter(({ set }) => (certain ? set === sleepsIn : inSet(segment, set, slot)));
    return candidates
      .filter((waitsFor) => mayStand(slot, has, waitsFor, byWaiting, certain))
      .flatMap((waitsFor) => this.sight({ slot, has, waitsFor, certain }, waiter, time) ?? []);
  }

  /** A link as it is seen now; undefined when its numbers cannot be told. */
  private sight(
    given: Omit<Link, "generation" | "since" | "wasAwake">,
    waiter: number,
    time: number,
  ): Link | undefined {
    const { slot, has, waitsFor, certain } = given;
    const [keeping, waiting] = [has.keeping(slot, waiter), waitsFor.waiting(slot)];
    if (keeping === undefined || waiting === undefined) return undefined;
    const sleep = certain ? this.word(slot, SLOT.syncWaits) : "";
    const key = [has.set, waiter, slot, waitsFor.set, certain].join(":");
    const generation = this.word(slot, SLOT.generation) >>> 0;
    const link = { ...given, generation };
    const numbers = [keeping, waiting, sleep, generation].join(":");
    const armed = this.word(slot, SLOT.armed);
    const before = this.sightings.get(key);
    if (before?.numbers === numbers) {
      const wasAwake = slot === this.context.member.slot || before.armed !== armed;
      return { ...link, since: before.at, wasAwake };
    }
    if (this.sightings.size >= MAX_SIGHTINGS) this.sightings.clear();
    this.sightings.set(key, { numbers, at: time, armed });
    return { ...link, since: undefined, wasAwake: false };
  }

  /** Who is told: 0 whoever closed the circle, by waiting last; the others later, in case that one is stopped. */
  private turnIn(circle: readonly Link[]): number {
    const since = ({ slot, waitsFor }: Link): number => waitsFor.since(slot);
    const own = since(circle[0]);
    return circle.filter((link) => since(link) > own || (since(link) === own && link.slot > circle[0].slot)).length;
  }

  private tell(circle: readonly Link[]): void {
    const { member } = this.context;
    const { segment, geometry, descriptor, regionName } = member;
    const members: MemberInfo[] = [];
    for (const { slot, generation } of circle) {
      const info = readMember(segment, geometry, descriptor, member.slot, slot);
      // Whoever is dead is about to be recovered, or was, perhaps while this member was stopped: what it had comes free.
      if (info?.alive !== true || info.generation !== generation) return;
      members.push(info);
    }
    const cycle = circle.map(({ slot, has, waitsFor }, i): DeadlockedMember => {
      const { pid, label } = members[i];
      return { slot, pid, label, mutex: `${regionName}/${has.name}`, waitsFor: `${regionName}/${waitsFor.name}` };
    });
    const story = cycle.map(
      (member, i) =>
        `${i === 0 ? "this " : ""}${memberText(member)} has ${member.mutex} and waits for ${member.waitsFor}`,
    );
    throw new ShmkitError(
      "ERR_DEADLOCK",
      `waiting for ${regionName}/${this.waited.name} would never end: ${story.join("; ")}; release what you have, and lock in one order everywhere`,
      { path: `${regionName}/${this.waited.name}`, cycle },
    );
  }
}

/** Whether a link stands as long as nobody else ends it. */
const isCertain = ({ certain, wasAwake }: Link): boolean => certain && wasAwake;

/** Where and who waits. */
const keyOf = ({ set }: WaitPoint, waiter: number): string => `${set}:${waiter}`;

/**
 * Whether a wait may be for the sake of what its member keeps another one waiting with. A thread's own tasks exclude each
 * other, which is no deadlock: they give back what they have. Who only comes first waits there for itself.
 */
function mayStand(slot: number, has: WaitPoint, waitsFor: WaitPoint, byWaiting: boolean, certain: boolean): boolean {
  const isSame = has.base === waitsFor.base;
  return byWaiting ? isSame : certain || !isSame || waitsFor.keepsOut?.(slot) === true;
}
