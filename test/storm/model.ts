/**
 * What must be true after a storm, from what every member wrote down, what the deaths were said to be, and what is there
 * in the end. A member makes one step at a time, so each dead one leaves at most one step open, and `memberDied` says
 * whether that took effect: everything else is known exactly.
 */
import type { MemberDeath } from "shmkit";
import type { Entry } from "./journal.js";
import {
  CALLED,
  CONCURRENCY,
  COUNTERS,
  MUTEXES,
  PIPE_NAMES,
  SHARE,
  type ObjectName,
  type PipeName,
  type Step,
} from "./plan.js";
import { judgeSync, type SyncRemains } from "./sync-model.js";

/** One member's part. */
export interface Part {
  readonly number: number;
  readonly entries: readonly Entry[];
  readonly deaths: readonly MemberDeath[];
}

/** What was found in the region when nothing moved any more. */
export interface Remains {
  readonly counters: Readonly<Record<string, number>>;
  readonly mutexes: Readonly<Record<string, number>>;
  /** Undefined when nobody looked. */
  readonly sync?: SyncRemains;
}

export interface Verdict {
  readonly violations: string[];
  lost: number;
  torn: number;
  messages: number;
  redelivered: number;
  /** Steps on what members synchronise by that took effect. */
  synchronised: number;
  /** Members that died, and those that died within a step or with a mutex in hand. */
  deaths: number;
  interrupted: number;
}

export const emptyVerdict = (): Verdict => ({
  violations: [],
  lost: 0,
  torn: 0,
  messages: 0,
  redelivered: 0,
  synchronised: 0,
  deaths: 0,
  interrupted: 0,
});

/** A message in one pipe. */
interface Message {
  /** `sent`: the call returned, or the death says that it took effect; `refused`: it did not. */
  state: "sent" | "refused" | "unknown";
  /** Receivers that have it for good, and when. */
  readonly done: number[];
  /** It was in work when its worker died: done or not. */
  uncertain: boolean;
  /** When it was taken on lease. */
  readonly leased: number[];
}

type Messages = Map<string, Message>;

const keyOf = ({ sender, sequence }: Entry): string => `${sender}:${sequence}`;
const KEPT_UNTIL = Number.POSITIVE_INFINITY;

/** The step that a member had begun and not ended. */
export function openStep(entries: readonly Entry[]): Entry | undefined {
  let open: Entry | undefined;
  for (const entry of entries) {
    if (entry.note === "begin") open = entry;
    else if (entry.note === "end" || entry.note === "failed" || entry.note === "joined") open = undefined;
  }
  return open;
}

/** What a member had for itself alone at its end, but for mutexes. */
export function heldAlone(entries: readonly Entry[]): ObjectName | undefined {
  let held: ObjectName | undefined;
  for (const { note, step, object, value } of entries)
    if (note === "end" && step === "hold" && value === SHARE.all) held = object;
    else if (note === "begin" && (step === "release" || step === "downgrade")) held = undefined;
  return held;
}

/** The mutex that a member had in hand at its end. */
export function heldMutex(entries: readonly Entry[]): ObjectName | undefined {
  let held: ObjectName | undefined;
  for (const { note, step, object } of entries)
    if (note === "end" && step === "lock") held = object;
    else if (note === "end" && step === "unlock") held = undefined;
  return held;
}

const SYNC_STEPS: ReadonlySet<Step> = new Set(["hold", "take", "give", "once", "meet", "down", "mail", "cross"]);

/** Whether the open step of a dead member took effect, by what its death was said to be. */
function tookEffect({ step, object }: Entry, death: MemberDeath | undefined): boolean {
  const called: readonly string[] = CALLED[step] ?? [];
  return death !== undefined && called.includes(death.operation) && death.object === object && death.committed;
}

class Model {
  readonly verdict = emptyVerdict();
  private readonly pipes = new Map<ObjectName, Messages>(PIPE_NAMES.map((name) => [name, new Map<string, Message>()]));
  /** Messages that a dead receiver had taken and could not tell of any more. */
  private readonly untold = new Map<ObjectName, number>();
  private readonly sums = new Map<string, number>();
  /** Commits that may have been made or not. */
  private readonly unsure = new Map<string, number>();
  private abandoned = new Map<string, number>();
  private deadOwners = new Map<string, number>();

  constructor(
    private readonly parts: readonly Part[],
    private readonly remains: Remains,
    private readonly clockErrorMs: number,
  ) {}

  private violation(text: string): void {
    this.verdict.violations.push(text);
  }

  private message(object: ObjectName, entry: Entry): Message {
    const messages = this.pipes.get(object)!;
    const key = keyOf(entry);
    let message = messages.get(key);
    if (message === undefined) {
      message = { state: "unknown", done: [], uncertain: false, leased: [] };
      messages.set(key, message);
    }
    return message;
  }

  private static raise<K>(map: Map<K, number>, key: K, by = 1): void {
    map.set(key, (map.get(key) ?? 0) + by);
  }

  run(): Verdict {
    for (const part of this.parts) this.replay(part);
    for (const name of PIPE_NAMES) this.judgePipe(name);
    const done = ({ entries, deaths }: Part): Entry | undefined => {
      const open = entries.at(-1)?.note === "left" ? undefined : openStep(entries);
      return open !== undefined && tookEffect(open, deaths[0]) ? open : undefined;
    };
    for (const text of judgeSync(this.parts, this.remains.sync, done, this.clockErrorMs)) this.violation(text);
    for (const name of COUNTERS) this.judgeSum(name, this.remains.counters[name]);
    for (const name of MUTEXES) this.judgeSum(name, this.remains.mutexes[name]);
    for (const [name, told] of this.abandoned)
      if (told > (this.deadOwners.get(name) ?? 0))
        this.violation(`${name} was abandoned ${told} times by ${this.deadOwners.get(name) ?? 0} dead owners`);
    return this.verdict;
  }

  private replay(part: Part): void {
    const { entries } = part;
    const order = new Map<string, number>();
    let worked: Entry[] = [];
    for (const entry of entries) {
      if (entry.note === "torn") this.tear(part, entry);
      else if (entry.note === "handled") {
        worked.push(entry);
        this.lease(part, entry, order, false);
      } else if (entry.note === "refused") this.lease(part, entry, order, false);
      else if (entry.note === "failed" && entry.step === "send") this.message(entry.object, entry).state = "refused";
      else if (entry.note === "end") {
        if (SYNC_STEPS.has(entry.step)) this.verdict.synchronised++;
        if (entry.step === "work") {
          for (const handled of worked) this.message("jobs", handled).done.push(handled.time);
          worked = [];
        } else this.ended(part, entry, order);
      }
    }
    this.died(part, worked);
  }

  private tear({ number }: Part, { step, object, time }: Entry): void {
    this.verdict.torn++;
    this.violation(`member ${number} found something torn in ${object} (${step}, at ${time})`);
  }

  private ended(part: Part, entry: Entry, order: Map<string, number>): void {
    const { object, value } = entry;
    switch (entry.step) {
      case "send":
        this.message(object, entry).state = "sent";
        break;
      case "receive":
        this.message(object, entry).done.push(entry.time);
        // What comes back from a lease comes late, and this call does not say so.
        if (object !== "jobs") this.inOrder(part, entry, order);
        break;
      case "lease":
        this.lease(part, entry, order, true);
        break;
      case "ack":
        this.message(object, entry).done.push(entry.time);
        break;
      case "add":
      case "commit":
      case "unlock":
        Model.raise(this.sums, object, value);
        break;
      case "lock":
        if (value === 1) Model.raise(this.abandoned, object);
        break;
      default:
    }
  }

  private lease(part: Part, entry: Entry, order: Map<string, number>, isOrdered: boolean): void {
    this.message("jobs", entry).leased.push(entry.time);
    if (entry.value > 1) this.verdict.redelivered++;
    else if (isOrdered) this.inOrder(part, entry, order);
  }

  private inOrder({ number }: Part, { object, sender, sequence, step }: Entry, order: Map<string, number>): void {
    const key = `${object} ${sender}`;
    const last = order.get(key) ?? -1;
    if (sequence <= last)
      this.violation(`member ${number} got ${sender}:${sequence} of ${object} after ${sender}:${last} (${step})`);
    order.set(key, Math.max(last, sequence));
  }

  /** What a member left open. */
  private died({ number, entries, deaths }: Part, worked: readonly Entry[]): void {
    const last = entries.at(-1);
    const hasLeft = last?.note === "left";
    const isCertain = entries.some(({ note }) => note === "joined") && last?.note !== "leaving";
    const [death] = deaths;
    if (deaths.length > 1) this.violation(`the death of member ${number} was told ${deaths.length} times`);
    if (hasLeft && death !== undefined) this.violation(`member ${number} left and was said to have died`);
    if (!hasLeft && isCertain && death === undefined) this.violation(`nobody told of the death of member ${number}`);
    if (hasLeft) return;
    this.verdict.deaths++;
    const held = heldMutex(entries);
    if (held !== undefined) Model.raise(this.deadOwners, held);
    const open = openStep(entries);
    if (open !== undefined || held !== undefined) this.verdict.interrupted++;
    if (open === undefined) {
      if (isCertain && death?.interrupted === true)
        this.violation(`member ${number} was said to have died within ${death.operation}, and had ended every step`);
      return;
    }
    const took = tookEffect(open, death);
    switch (open.step) {
      case "send":
        this.message(open.object, open).state = took ? "sent" : "refused";
        break;
      case "receive":
        if (took) Model.raise(this.untold, open.object);
        break;
      case "ack":
        if (took) this.message(open.object, open).done.push(open.time);
        break;
      case "add":
      case "unlock":
        if (took) Model.raise(this.sums, open.object, open.value);
        break;
      case "commit":
        Model.raise(this.unsure, open.object, open.value);
        break;
      case "lock":
        if (took) Model.raise(this.deadOwners, open.object);
        break;
      case "work":
        // The last ones may have been acknowledged or not, as many as it had at a time.
        worked.forEach((entry, i) => {
          const message = this.message("jobs", entry);
          if (i < worked.length - CONCURRENCY) message.done.push(entry.time);
          else message.uncertain = true;
        });
        break;
      default:
    }
  }

  private judgePipe(name: PipeName): void {
    let missing = 0;
    let example = "";
    for (const [key, { state, done, uncertain, leased }] of this.pipes.get(name)!) {
      if (state === "sent") this.verdict.messages++;
      if (state !== "sent" && done.length + leased.length > 0)
        this.violation(`${key} came out of ${name} and ${state === "unknown" ? "nobody sent it" : "was not sent"}`);
      if (done.length > 1) this.violation(`${key} of ${name} was received ${done.length} times`);
      const doneAt = done.length > 0 ? Math.min(...done) : KEPT_UNTIL;
      if (leased.some((time) => time > doneAt + this.clockErrorMs))
        this.violation(`${key} of ${name} came again after it was done with`);
      if (state === "sent" && done.length === 0 && !uncertain) {
        missing++;
        example ||= key;
      }
    }
    const untold = this.untold.get(name) ?? 0;
    if (missing === untold) return;
    this.verdict.lost += Math.max(0, missing - untold);
    this.violation(
      `${missing} messages of ${name} are gone (${example}, …), and ${untold} receivers died with one that they had taken`,
    );
  }

  private judgeSum(name: string, found: number): void {
    const sum = this.sums.get(name) ?? 0;
    const unsure = this.unsure.get(name) ?? 0;
    if (found < sum || found > sum + unsure)
      this.violation(`${name} is ${found}; what was told makes ${sum}${unsure > 0 ? ` to ${sum + unsure}` : ""}`);
  }
}

/**
 * Judges a storm.
 *
 * @param clockErrorMs how far the clocks of two members may be apart. What comes again within that time is found when it is
 * done with for the second time
 */
export function judge(parts: readonly Part[], remains: Remains, clockErrorMs = 0): Verdict {
  return new Model(parts, remains, clockErrorMs).run();
}
