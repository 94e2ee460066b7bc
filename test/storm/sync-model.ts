/**
 * What must be true of what members synchronise by. What a member certainly had it had from when its call returned until it
 * began to give it back, or wrote its last; what it got it got between the begin and the end of its call.
 */
import type { Entry } from "./journal.js";
import type { Part } from "./model.js";
import { CAPACITY, FLOWS, PARTIES, PROMISED, TOKENS, type ObjectName } from "./plan.js";

/** Found when everybody had gone. */
export interface SyncRemains {
  /** Permits of `tickets`. */
  readonly tickets: number;
  /** Tokens taken. */
  readonly tokens: number;
  /** Of `countdown`: counted down, or lost with those who had promised it. */
  readonly counted: number;
}

/** A share of something that somebody had for certain. */
interface Hold {
  readonly number: number;
  readonly share: number;
  readonly from: number;
  readonly until: number;
}

/** A call that took so many, or gave them. */
interface Call {
  readonly number: number;
  readonly value: number;
  readonly begin: number;
  readonly end: number;
}

type ByObject<T> = Map<ObjectName, T[]>;

function addTo<T>(map: ByObject<T>, object: ObjectName, item: T): void {
  const items = map.get(object);
  if (items === undefined) map.set(object, [item]);
  else items.push(item);
}

/** What a part held, also by mutexes. */
function holdsOf({ number, entries }: Part, into: ByObject<Hold>): void {
  const open = new Map<ObjectName, { share: number; from: number }>();
  const close = ({ object, time }: Entry): void => {
    const held = open.get(object);
    if (held !== undefined) addTo(into, object, { number, ...held, until: time });
    open.delete(object);
  };
  for (const entry of entries) {
    const { note, step, object, time, value } = entry;
    const isTaken = note === "end" && (step === "hold" || step === "lock");
    const isLowered = note === "begin" && step === "downgrade";
    if (isTaken || isLowered || (note === "begin" && (step === "release" || step === "unlock"))) close(entry);
    if (isTaken || isLowered) open.set(object, { share: step === "lock" ? 1 : value, from: time });
  }
  const last = entries.at(-1);
  for (const object of [...open.keys()]) close({ ...last!, object });
}

/** Never more than there is. */
function judgeHolds(object: ObjectName, holds: readonly Hold[], capacity: number, clockErrorMs: number): string[] {
  const changes = holds
    .filter(({ from, until }) => from + clockErrorMs < until - clockErrorMs)
    .flatMap((hold) => [
      { time: hold.from + clockErrorMs, change: hold.share, hold },
      { time: hold.until - clockErrorMs, change: -hold.share, hold },
    ])
    .sort((a, b) => a.time - b.time || a.change - b.change);
  const having = new Set<Hold>();
  let sum = 0;
  for (const { change, hold, time } of changes) {
    sum += change;
    if (change > 0) having.add(hold);
    else having.delete(hold);
    if (sum > capacity)
      return [
        `${object} was held by ${[...having].map(({ number, share }) => `member ${number} (${share})`).join(" and ")} ` +
          `at ${time}: ${sum} of ${capacity}`,
      ];
  }
  return [];
}

/** Nobody takes what nobody gave: of calls that may have overlapped, takers come last and givers first. */
function judgeFlow(
  object: ObjectName,
  takes: readonly Call[],
  gives: readonly Call[],
  initial: number,
  clockErrorMs: number,
): string[] {
  const events = [
    ...takes.map(({ end, value, number }) => ({ time: end + clockErrorMs, change: -value, number })),
    ...gives.map(({ begin, value, number }) => ({ time: begin - clockErrorMs, change: value, number })),
  ].sort((a, b) => a.time - b.time || b.change - a.change);
  let left = initial;
  for (const { change, number } of events) {
    left += change;
    if (left < 0) return [`member ${number} took from ${object} what nobody had given: ${left}`];
  }
  return [];
}

/** No more in any time than the bucket held and what came in it. */
function judgeRate(takes: readonly Call[], clockErrorMs: number): string[] {
  const { tokens, intervalMs, burst } = TOKENS;
  const byEnd = [...takes].sort((a, b) => a.end - b.end);
  for (const { begin } of takes) {
    let sum = 0;
    for (const take of byEnd) {
      if (take.begin < begin) continue;
      sum += take.value;
      const ms = take.end - begin + 2 * clockErrorMs;
      if (sum > burst + (ms * tokens) / intervalMs + 1e-3)
        return [
          `${sum} tokens were taken within ${ms.toFixed(3)} ms, which has ${burst} and ${tokens} each ${intervalMs} ms`,
        ];
    }
  }
  return [];
}

/** Done by one, to what all get. */
class Onces {
  private readonly made = new Map<number, Set<number>>();
  private readonly got = new Map<number, number>();
  private readonly doers = new Map<number, number>();
  readonly violations: string[] = [];

  add({ number }: Part, { note, step, sequence, value, sender }: Entry): void {
    if (note === "did") this.made.set(sequence, (this.made.get(sequence) ?? new Set()).add(value));
    if (note !== "end" || step !== "once") return;
    const before = this.got.get(sequence);
    if (before !== undefined && before !== value)
      this.violations.push(`once-${sequence} came to ${before}, and for member ${number} to ${value}`);
    this.got.set(sequence, value);
    if (sender === 0) return;
    const doer = this.doers.get(sequence);
    if (doer !== undefined) this.violations.push(`once-${sequence} was done by members ${doer} and ${number}`);
    this.doers.set(sequence, number);
  }

  judge(): string[] {
    for (const [sequence, value] of this.got)
      if (this.made.get(sequence)?.has(value) !== true)
        this.violations.push(`once-${sequence} came to ${value}, which nobody made`);
    return this.violations;
  }
}

/** Who meets in one generation is there at the same time, and one of them leads. */
class Meetings {
  private readonly generations = new Map<number, Call[]>();
  readonly violations: string[] = [];

  add({ number, entries }: Part): void {
    let begin: number | undefined;
    let last = -1;
    for (const { note, step, sequence, value, time } of entries) {
      if (step !== "meet") continue;
      // What ended by its deadline may have arrived.
      if (note === "begin") begin ??= time;
      if (note !== "end") continue;
      if (sequence <= last) this.violations.push(`member ${number} met in generation ${sequence} after ${last}`);
      last = sequence;
      this.generations.set(sequence, [
        ...(this.generations.get(sequence) ?? []),
        { number, value, begin: begin!, end: time },
      ]);
      begin = undefined;
    }
  }

  judge(clockErrorMs: number): string[] {
    for (const [generation, calls] of this.generations) {
      const who = calls.map(({ number }) => number).join(", ");
      if (calls.length > PARTIES)
        this.violations.push(`generation ${generation} had more than ${PARTIES} parties: ${who}`);
      if (calls.reduce((sum, { value }) => sum + value, 0) > 1)
        this.violations.push(`generation ${generation} had several leaders: ${who}`);
      const came = Math.max(...calls.map(({ begin }) => begin));
      const went = Math.min(...calls.map(({ end }) => end));
      if (came > went + 2 * clockErrorMs)
        this.violations.push(`of generation ${generation} (${who}) somebody went before somebody came`);
    }
    return this.violations;
  }
}

/** Who was told of a deadlock that was none. */
function judgeDeadlocks(parts: readonly Part[], clockErrorMs: number): string[] {
  const crossings = parts.flatMap(({ number, entries }) =>
    entries.flatMap((entry, i) => {
      if (entry.note !== "begin" || entry.step !== "cross") return [];
      const end = entries.slice(i + 1).find(({ note }) => note === "end" || note === "failed");
      return [{ number, begin: entry.time, end: end?.time ?? Number.POSITIVE_INFINITY, told: end }];
    }),
  );
  return crossings.flatMap(({ number, begin, end, told }) => {
    // The value of one that failed says something else: whether somebody was in the way.
    if (told?.note !== "end" || told.value !== 1) return [];
    const other = crossings.some(
      (one) => one.number === told.sender && one.begin <= end + clockErrorMs && one.end >= begin - clockErrorMs,
    );
    return other ? [] : [`member ${number} was told of a deadlock with member ${told.sender}, who did not wait for it`];
  });
}

/** @param tookEffect whether the step that a dead member left open did */
export function judgeSync(
  parts: readonly Part[],
  remains: SyncRemains | undefined,
  tookEffect: (part: Part) => Entry | undefined,
  clockErrorMs: number,
): string[] {
  const holds: ByObject<Hold> = new Map();
  const takes: ByObject<Call> = new Map();
  const gives: ByObject<Call> = new Map();
  const onces = new Onces();
  const meetings = new Meetings();
  const violations: string[] = [];
  let promised = 0;
  for (const part of parts) {
    const { number, entries } = part;
    let begin = 0;
    for (const entry of entries) {
      const { note, step, object, value, time } = entry;
      if (note === "begin") begin = time;
      const call = { number, value, begin, end: time };
      if (note === "end" && step === "take") addTo(takes, object, call);
      // Whatever came of it: somebody may have taken it.
      if (note === "begin" && step === "give") addTo(gives, object, call);
      if (note === "end" && step === "enrol") promised += value;
      if (note === "missed") violations.push(`member ${number} slept while something lay there for ${value} ms`);
      onces.add(part, entry);
    }
    holdsOf(part, holds);
    meetings.add(part);
  }
  for (const [object, held] of holds) violations.push(...judgeHolds(object, held, CAPACITY[object] ?? 1, clockErrorMs));
  for (const [object, initial] of Object.entries(FLOWS) as [ObjectName, number][])
    violations.push(...judgeFlow(object, takes.get(object) ?? [], gives.get(object) ?? [], initial, clockErrorMs));
  violations.push(...judgeRate(takes.get("tokens") ?? [], clockErrorMs));
  violations.push(...onces.judge(), ...meetings.judge(clockErrorMs), ...judgeDeadlocks(parts, clockErrorMs));
  if (remains === undefined) return violations;
  const sums = { tickets: FLOWS.tickets, tokens: 0, counted: promised };
  for (const part of parts) {
    const open = tookEffect(part);
    const done = part.entries.filter(({ note }) => note === "end");
    for (const { step, object, value } of open === undefined ? done : [...done, open]) {
      if (object === "tickets" && step === "take") sums.tickets -= value;
      if (object === "tickets" && step === "give") sums.tickets += value;
      if (object === "tokens" && step === "take") sums.tokens += value;
    }
    if (open?.step === "enrol") sums.counted += PROMISED;
  }
  for (const name of ["tickets", "tokens", "counted"] as const)
    if (remains[name] !== sums[name]) violations.push(`${name} is ${remains[name]}; what was told makes ${sums[name]}`);
  return violations;
}
