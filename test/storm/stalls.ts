/** How long a death holds the others up: from when somebody needs what the dead one had in its hands, until one has it. */
import type { Entry } from "./journal.js";
import { heldAlone, heldMutex, openStep, type Part } from "./model.js";
import type { Step } from "./plan.js";

/** Steps that need the same lock, by the side of an object. */
const SIDE: Readonly<Partial<Record<Step, string>>> = {
  send: "tail",
  receive: "head",
  lease: "head",
  add: "lock",
  lock: "lock",
  hold: "hold",
};

const sideOf = ({ object, step }: Entry): string | undefined => SIDE[step] && `${object} ${SIDE[step]}`;

/** What the dead one had in its hands, by its side. */
const KINDS: readonly (readonly [RegExp, string])[] = [
  [/^record/, "mutex"],
  [/^gate/, "rwlock"],
  [/^web/, "web lock"],
  [/^places/, "semaphore"],
  [/^(count|marker)/, "counter"],
];
export const kindOf = (side: string): string => KINDS.find(([pattern]) => pattern.test(side))?.[1] ?? "pipe";

/** Somebody who needed one side of an object: had to wait, or got it. */
interface Need {
  readonly number: number;
  readonly from: number;
  readonly until: number;
  readonly isMet: boolean;
}

/** Everybody's needs, by object and side, in the order in which they ended. */
export class Needs {
  private readonly bySide = new Map<string, Need[]>();

  constructor(parts: readonly Part[]) {
    for (const { number, entries } of parts) {
      let from = 0;
      for (const entry of entries) {
        if (entry.note === "begin") from = entry.time;
        const side = sideOf(entry);
        const isMet = entry.note === "end";
        // What found a pipe empty or full did not wait for anybody's lock.
        if (side === undefined || !(isMet || (entry.note === "failed" && entry.value === 1))) continue;
        const needs = this.bySide.get(side) ?? [];
        this.bySide.set(side, needs);
        needs.push({ number, from, until: entry.time, isMet });
      }
    }
    for (const needs of this.bySide.values()) needs.sort((a, b) => a.until - b.until);
  }

  /**
   * The time for which others needed what a member had in its hands when it died; undefined when it had nothing, or
   * nobody asked for it before it was recovered.
   */
  stall(dead: Part, diedAt: number, recoveredAt: number): { side: string; from: number; until: number } | undefined {
    const side = sideOfDead(dead) ?? "nothing";
    const needs = this.bySide.get(side)?.filter(({ number, until }) => number !== dead.number && until > diedAt);
    const met = needs?.find(({ isMet }) => isMet);
    if (needs === undefined || met === undefined) return undefined;
    const from = Math.min(
      ...needs.filter(({ until }) => until <= met.until).map((need) => Math.max(need.from, diedAt)),
    );
    return from > recoveredAt ? undefined : { side, from, until: met.until };
  }
}

function sideOfDead({ entries }: Part): string | undefined {
  const mutex = heldMutex(entries);
  if (mutex !== undefined) return `${mutex} lock`;
  const alone = heldAlone(entries);
  if (alone !== undefined) return `${alone} hold`;
  const open = openStep(entries);
  return open && sideOf(open);
}
