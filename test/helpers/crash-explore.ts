/**
 * Stops a member at each of its steps, has another recover, and checks; then stops the recovery at each of its steps, and
 * the recovery of that one too. Only steps before which something has changed are taken for the later levels: between two
 * changes of the shared state the others cannot tell one stop from another.
 */
import type { Agent } from "../instruments/agent.js";

/** How it went, when everything that remains is to be checked. */
export interface Fate {
  /** The operation came to its end before the member died. */
  readonly returned: boolean;
  /** How many recoverers died after it. */
  readonly fallen: number;
  /** Try also whether everything can be used again: with most points of the later levels only what lies there is checked. */
  readonly thorough: boolean;
}

/** One try of an operation, in a state of its own. */
export interface Attempt {
  readonly victim: Agent;
  /** The operation; runs as the victim. */
  act(): void;
  /** Those who notice, in this order; all but the last one that is needed die as well. */
  readonly rescuers: readonly Rescuer[];
  /** Called at a member's death, after its last access: the victim is number 0, the rescuers follow. */
  died(number: number): void;
  /** Checks everything that must hold now. */
  verify(fate: Fate): void;
  /** Where set, the victim can be cut off and live: called at the stop, before anything unwinds; answers what to call once all has. */
  readonly cut?: () => () => void;
  /** Where set, the victim's memory can go away while it lives. */
  loss?: Loss;
}

/** What to do when the memory of a living member goes away. */
export interface Loss {
  /** It has just gone, as the system tells it. */
  lose(): void;
  /** Checks how the operation ended: with this error, or with none. */
  verify(error: unknown): void;
}

export interface Rescuer {
  readonly agent: Agent;
  act(): void;
}

/** An operation to explore. */
export interface CrashOperation {
  readonly name: string;
  /** Methods that it goes through: `Pipe.send`. */
  readonly covers: readonly string[];
  /** It is cut off at every step: what its member keeps in JavaScript changes also where nothing in memory does. */
  readonly isCutEverywhere?: boolean;
  begin(): Attempt;
}

/** Points explored. */
export interface Tally {
  /** A member stopped and recovered. */
  steps: number;
  /** Its recovery stopped as well, and that one's recovery. */
  recoverySteps: number;
  deeperSteps: number;
  /** A member cut off that lives. */
  cuts: number;
  /** A member whose memory goes away. */
  losses: number;
}

/** One point of so many is explored; 1 explores all. */
export interface Depth {
  /** Of the steps before which nothing has changed since the one before: all others are explored. */
  readonly steps: number;
  readonly recoverySteps: number;
  readonly deeperSteps: number;
  readonly cuts: number;
  readonly losses: number;
}

/** What `npm test` explores, and what SHMKIT_CRASH_DEPTH=all does. */
export const DEPTH: Depth =
  process.env["SHMKIT_CRASH_DEPTH"] === "all"
    ? { steps: 1, recoverySteps: 1, deeperSteps: 50, cuts: 1, losses: 1 }
    : { steps: 20, recoverySteps: 20, deeperSteps: 1000, cuts: 40, losses: 40 };

/** One in so many points of the later levels is checked thoroughly. */
const THOROUGH = 16;
const NEVER = Number.POSITIVE_INFINITY;

interface Trace {
  /** Steps of the victim, had it not been stopped. */
  readonly steps: number;
  readonly returned: boolean;
  /** Steps of the member that did the last recovery before which something changes, and the one after the last. */
  readonly next: readonly number[];
  readonly victimChanges: readonly number[];
}

/** Where members are stopped: the victim first, then one recoverer after the other. */
export type Stops = readonly number[];

const pointName = (operation: CrashOperation, stops: Stops): string =>
  `${operation.name}:${stops.map((stop) => (stop === NEVER ? "end" : stop)).join(":")}`;

/** Explores one point. */
function explorePoint(operation: CrashOperation, stops: Stops, thorough = true): Trace {
  const attempt = operation.begin();
  const { victim, rescuers } = attempt;
  victim.arm(stops[0]);
  const returned = victim.run(() => attempt.act());
  const trace = { steps: victim.steps, victimChanges: [...victim.changes] };
  attempt.died(0);
  for (const [i, stop] of stops.slice(1).entries()) {
    rescuers[i].agent.arm(stop);
    rescuers[i].agent.run(() => rescuers[i].act());
    attempt.died(i + 1);
  }
  const last = rescuers[stops.length - 1];
  last.agent.arm();
  last.agent.do(() => last.act());
  const next = [...new Set(last.agent.changes), NEVER];
  attempt.verify({ returned, fallen: stops.length - 1, thorough });
  return { ...trace, returned, next };
}

/** Cuts the victim off at a step as a vm timeout does, past every `catch` and `finally`, and lets it go on. */
function exploreCut(operation: CrashOperation, stop: number): void {
  const attempt = operation.begin();
  const { victim } = attempt;
  victim.arm(stop);
  let goOn: () => void = () => undefined;
  victim.onStop = () => (goOn = attempt.cut!());
  const returned = victim.run(() => attempt.act());
  victim.revive();
  goOn();
  attempt.verify({ returned, fallen: 0, thorough: true });
}

/** Takes the memory away from the victim at a step, as a truncation of the file does. */
function exploreLoss(operation: CrashOperation, step: number): void {
  const attempt = operation.begin();
  const { victim } = attempt;
  victim.armLoss(step, () => attempt.loss!.lose());
  let error: unknown;
  try {
    victim.run(() => attempt.act());
  } catch (thrown) {
    error = thrown;
  }
  attempt.loss!.verify(error);
}

/** Explores an operation's points. @throws naming the point */
export function exploreOperation(operation: CrashOperation, depth: Depth): Tally {
  return new Exploration(operation, depth).run();
}

class Exploration {
  private readonly tally: Tally = { steps: 0, recoverySteps: 0, deeperSteps: 0, cuts: 0, losses: 0 };
  /** Points of each sort that were due, explored or not. */
  private readonly due = { steps: 0, recoverySteps: 0, deeperSteps: 0, cuts: 0, losses: 0 };

  constructor(
    private readonly operation: CrashOperation,
    private readonly depth: Depth,
  ) {}

  run(): Tally {
    const whole = this.at([NEVER], () => explorePoint(this.operation, [NEVER]));
    if (!whole.returned) throw new Error(`${this.operation.name} does not come to its end`);
    const changes = new Set(whole.victimChanges);
    for (let step = 1; step <= whole.steps; step++)
      if (changes.has(step) || this.isTaken("steps")) this.stopAt(step, changes.has(step));
    this.stopAt(NEVER, true);
    const { loss, cut } = this.operation.begin();
    for (let step = 1; loss !== undefined && step <= whole.steps; step++)
      if (this.isTaken("losses")) {
        this.at([step], () => exploreLoss(this.operation, step));
        this.tally.losses++;
      }
    for (let step = 1; cut !== undefined && step <= whole.steps; step++)
      if (changes.has(step) || this.operation.isCutEverywhere === true || this.isTaken("cuts")) {
        this.at([step], () => exploreCut(this.operation, step));
        this.tally.cuts++;
      }
    return this.tally;
  }

  private stopAt(step: number, isChange: boolean): void {
    const { next } = this.explore("steps", [step], true);
    if (!isChange) return;
    for (const second of next) {
      if (!this.isTaken("recoverySteps")) continue;
      const { next: last } = this.explore("recoverySteps", [step, second], this.tally.recoverySteps % THOROUGH === 0);
      for (const third of last)
        if (this.isTaken("deeperSteps"))
          this.explore("deeperSteps", [step, second, third], this.tally.deeperSteps % THOROUGH === 0);
    }
  }

  private isTaken(kind: keyof Depth): boolean {
    return this.due[kind]++ % this.depth[kind] === 0;
  }

  private explore(kind: keyof Tally, stops: Stops, thorough: boolean): Trace {
    this.tally[kind]++;
    return this.at(stops, () => explorePoint(this.operation, stops, thorough));
  }

  private at<T>(stops: Stops, explore: () => T): T {
    try {
      return explore();
    } catch (error) {
      throw new Error(`at ${pointName(this.operation, stops)}: ${(error as Error).message}`, { cause: error });
    }
  }
}
