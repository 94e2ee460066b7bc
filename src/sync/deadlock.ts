import * as words from "#words";
import { now } from "../base/deadline.js";
import { type DeadlockedMember, ShmkitError } from "../base/errors.js";
import type { ObjectContext } from "../heap/named-object.js";
import { PAGE_WORDS } from "../heap/page-heap.js";
import { lockWaiters, ownerOf } from "../locking/robust-lock.js";
import { readMember, type MemberInfo } from "../members/member-info.js";
import { inSet } from "../members/member-set.js";
import { SLOT, slotWord } from "../members/region-words.js";
import { MUTEX_WORD } from "./mutex-statistics.js";

/**
 * How long a circle in which somebody waits asynchronously has to stand: another task of that thread may still release.
 * Less than the second between two looks of an asynchronous wait, so that the second one suffices.
 */
const PRESUMED_MS = 900;
/** By how much later than the one whose wait began before its own a member speaks up, should that one be stopped. */
const TURN_MS = { certain: 200, presumed: 1500 } as const;
/** Between two looks while there is no circle. */
const MAX_PAUSE_MS = 1000;
const FIRST_PAUSE_MS = 50;

/** A mutex, by the word index of its block. */
interface Place {
  readonly name: string;
  readonly base: number;
}

/** A member that has one mutex and waits for another one. */
interface Link {
  readonly slot: number;
  readonly has: Place;
  readonly waitsFor: Place;
  /** Its thread sleeps in that wait, so that it cannot release anything before the wait ends. */
  readonly certain: boolean;
}

/**
 * Finds out whether the wait for a mutex can never end, since the members wait for each other in a circle. It costs nothing
 * until a wait has lasted for 50 ms; then it reads, without locks, who has which mutex and who waits for it.
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

  /** @param base word index of the mutex that is waited for */
  constructor(
    private readonly context: ObjectContext,
    private readonly name: string,
    private readonly base: number,
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
    const stamp = others.map((link) => this.stampOf(link)).join() + this.stampOfMutex(circle[0].has);
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

  private stampOfMutex({ base }: Place): string {
    const shared = this.context.member.segment.words;
    return `${base}:${words.load(shared, base)}:${words.load(shared, base + MUTEX_WORD.acquisitions)}`;
  }

  /** The same as long as the member has the mutex without a break, and sleeps in the same wait if it sleeps. */
  private stampOf({ slot, has, waitsFor, certain }: Link): string {
    const member = [SLOT.generation, SLOT.syncSet, SLOT.syncWaits].map((word) => this.word(slot, word));
    return [this.stampOfMutex(has), slot, waitsFor.base, certain, ...member].join(":");
  }

  /** A circle that begins with this member and its wait; undefined when there is none. */
  private find(sync: boolean): readonly Link[] | undefined {
    const mutexes = this.mutexes();
    const self = this.context.member.slot;
    const waited: Place = { name: this.name, base: this.base };
    const passed = new Set<number>();
    const follow = (place: Place, path: readonly Link[]): readonly Link[] | undefined => {
      const slot = ownerOf(this.context.member, place.base);
      if (slot < 0 || slot >= this.context.member.geometry.maxMembers || passed.has(slot)) return undefined;
      // This thread's own tasks exclude each other, which is no deadlock.
      if (slot === self)
        return path.length === 0 ? undefined : [{ slot, has: place, waitsFor: waited, certain: sync }, ...path];
      passed.add(slot);
      for (const link of this.waitsOf(slot, place, mutexes)) {
        const found = follow(link.waitsFor, [...path, link]);
        if (found !== undefined) return found;
      }
      return undefined;
    };
    return follow(waited, []);
  }

  private mutexes(): readonly Place[] {
    try {
      const refs = this.context.directory.list().filter(({ kind }) => kind === "mutex");
      return refs.map(({ name, page }) => ({ name, base: page * PAGE_WORDS }));
    } catch (error) {
      // Another object's entry is corrupt; whoever touches that is told.
      if (error instanceof ShmkitError) return [];
      throw error;
    }
  }

  /** What a member that has a mutex waits for. */
  private waitsOf(slot: number, has: Place, mutexes: readonly Place[]): readonly Link[] {
    const set = this.word(slot, SLOT.syncSet);
    const certain = set !== 0;
    const { segment } = this.context.member;
    return mutexes
      .filter(({ base }) => (certain ? lockWaiters(base) === set : inSet(segment, lockWaiters(base), slot)))
      .map((waitsFor) => ({ slot, has, waitsFor, certain }));
  }

  /** Who is told: 0 whoever closed the circle, by waiting last; the others later, in case that one is stopped. */
  private turnIn(circle: readonly Link[]): number {
    const { floats } = this.context.member.segment;
    const since = ({ slot, waitsFor }: Link): number =>
      words.readFloat(floats, waitsFor.base / 2 + MUTEX_WORD.waitingSince + slot);
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
      `locking ${regionName}/${this.name} would never end: ${story.join("; ")}; release what you have, and lock in one order everywhere`,
      { path: `${regionName}/${this.name}`, cycle },
    );
  }
}
