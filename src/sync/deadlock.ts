import * as words from "#words";
import { now } from "../base/deadline.js";
import { type DeadlockedMember, ShmkitError } from "../base/errors.js";
import type { ObjectContext } from "../heap/named-object.js";
import { readMember, type MemberInfo } from "../members/member-info.js";
import { inSet } from "../members/member-set.js";
import { SLOT, slotWord } from "../members/region-words.js";
import { waitPointsOf, type WaitPoint } from "./wait-points.js";

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

/** A member that has what is waited for at one point and waits at another one. */
interface Link {
  readonly slot: number;
  readonly has: WaitPoint;
  readonly waitsFor: WaitPoint;
  /** Its thread sleeps in that wait, so that it cannot release anything before the wait ends. */
  readonly certain: boolean;
}

/**
 * Finds out whether a wait can never end, since members wait for each other in a circle. It costs nothing until a wait has
 * lasted for 50 ms; then it reads, without locks, who has what and who waits for it.
 *
 * A thread that sleeps in a wait releases nothing before the wait ends: a circle of such members stands for ever. It is
 * told when two looks found the same members in the same waits, and each of them awake in between, inside its wait: so all
 * of it was true at one time, although it was read piece by piece. A member that waits asynchronously may release from
 * another task: a circle with one is told when it has stood for a second, every mutex with its owner without a break. So
 * is one with a member that is stopped, which is not seen awake.
 */
export class DeadlockWatch {
  private seen = "";
  private seenAt = 0;
  /** By slot: how often the member had armed when the circle was seen first. */
  private readonly armed = new Map<number, number>();
  private pauseMs = FIRST_PAUSE_MS;
  private nextLook = 0;

  /** @param waited what this member waits for */
  constructor(
    private readonly context: ObjectContext,
    private readonly waited: WaitPoint,
  ) {}

  /** Another wait begins. */
  reset(): void {
    this.seen = "";
    this.pauseMs = FIRST_PAUSE_MS;
    this.nextLook = 0;
  }

  /** Looks, unless it did a moment ago. @param sync whether this thread sleeps in the wait @throws ERR_DEADLOCK */
  look(sync: boolean): void {
    const time = now();
    if (time < this.nextLook) return;
    const circle = this.find(sync);
    if (circle === undefined) {
      this.seen = "";
      this.nextLook = time + this.pauseMs;
      this.pauseMs = Math.min(this.pauseMs * 2, MAX_PAUSE_MS);
      return;
    }
    const others = circle.slice(1);
    const stamp = others.map((link) => this.stampOf(link)).join() + circle[0].has.stamp(circle[0].slot);
    if (stamp !== this.seen) {
      this.seen = stamp;
      this.seenAt = time;
      for (const { slot } of others) this.armed.set(slot, this.armedOf(slot));
      return;
    }
    const isCertain = circle.every(({ certain }) => certain) && others.every(({ slot }) => this.wasAwake(slot));
    const patience = isCertain
      ? TURN_MS.certain * this.turnIn(circle)
      : PRESUMED_MS + TURN_MS.presumed * this.turnIn(circle);
    if (time - this.seenAt >= patience) this.tell(circle);
  }

  private word(slot: number, word: number): number {
    const { segment, geometry } = this.context.member;
    return words.load(segment.words, slotWord(geometry, slot) + word);
  }

  private armedOf(slot: number): number {
    return this.word(slot, SLOT.armed);
  }

  private wasAwake(slot: number): boolean {
    return this.armedOf(slot) !== this.armed.get(slot);
  }

  /** The same as long as the member has what it has without a break, and sleeps in the same wait if it sleeps. */
  private stampOf({ slot, has, waitsFor, certain }: Link): string {
    const member = [SLOT.generation, SLOT.syncSet, SLOT.syncWaits].map((word) => this.word(slot, word));
    return [has.stamp(slot), slot, waitsFor.set, certain, ...member].join(":");
  }

  /** A circle that begins with this member and its wait; undefined when there is none. */
  private find(sync: boolean): readonly Link[] | undefined {
    const points = this.points();
    const { waited } = this;
    const { slot: self, geometry } = this.context.member;
    const passed = new Set<number>();
    const follow = (point: WaitPoint, waiter: number, path: readonly Link[]): readonly Link[] | undefined => {
      for (const slot of point.holders(waiter)) {
        if (slot < 0 || slot >= geometry.maxMembers || passed.has(slot)) continue;
        if (slot === self) {
          if (path.length > 0 && this.mayStand(slot, point, waited, sync))
            return [{ slot, has: point, waitsFor: waited, certain: sync }, ...path];
          continue;
        }
        passed.add(slot);
        for (const link of this.waitsOf(slot, point, points)) {
          const found = follow(link.waitsFor, slot, [...path, link]);
          if (found !== undefined) return found;
        }
      }
      return undefined;
    };
    return follow(waited, self, []);
  }

  /** A thread's own tasks exclude each other, which is no deadlock: they give back what they have. */
  private mayStand(slot: number, has: WaitPoint, waitsFor: WaitPoint, certain: boolean): boolean {
    return certain || has.base !== waitsFor.base || waitsFor.keepsOut?.(slot) === true;
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

  /** What a member that has something waits for. */
  private waitsOf(slot: number, has: WaitPoint, points: readonly WaitPoint[]): readonly Link[] {
    const sleepsIn = this.word(slot, SLOT.syncSet);
    const certain = sleepsIn !== 0;
    const { segment } = this.context.member;
    return points
      .filter(({ set }) => (certain ? set === sleepsIn : inSet(segment, set, slot)))
      .filter((waitsFor) => this.mayStand(slot, has, waitsFor, certain))
      .map((waitsFor) => ({ slot, has, waitsFor, certain }));
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
    for (const { slot } of circle) {
      const info = readMember(segment, geometry, descriptor, member.slot, slot);
      // Whoever is dead is about to be recovered, and what it had comes free.
      if (info?.alive !== true) return;
      members.push(info);
    }
    const cycle = circle.map(({ slot, has, waitsFor }, i): DeadlockedMember => {
      const { pid, label } = members[i];
      return { slot, pid, label, mutex: `${regionName}/${has.name}`, waitsFor: `${regionName}/${waitsFor.name}` };
    });
    const story = cycle.map(
      ({ slot, pid, label, mutex, waitsFor }, i) =>
        `${i === 0 ? "this member" : "member"} ${slot} (pid ${pid}, ${label}) has ${mutex} and waits for ${waitsFor}`,
    );
    throw new ShmkitError(
      "ERR_DEADLOCK",
      `waiting for ${regionName}/${this.waited.name} would never end: ${story.join("; ")}; release what you have, and lock in one order everywhere`,
      { path: `${regionName}/${this.waited.name}`, cycle },
    );
  }
}
