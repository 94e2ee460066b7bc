/** What is explored: a region, what its members do, and what must hold whenever all is over. */
import { ShmkitError } from "shmkit";
import type { Call, Model } from "./linearizability.js";
import type { MemberOf, World, WorldOptions } from "./world.js";

/** Runs one call of a script: `what` is for the model, `act` is the call. */
export type Calls = <T>(what: Call, act: () => T) => T;

/** What one member does. Runs again and again: it must do the same whenever its calls answer the same. */
export interface Role {
  readonly name: string;
  run(call: Calls): void;
  /** Its waits have deadlines, which may pass. */
  readonly hasDeadline?: boolean;
  /** Never dies. */
  readonly isImmortal?: boolean;
}

export interface Story<State = unknown> {
  readonly roles: readonly Role[];
  readonly model: Model<State>;
  /** Calls that a witness makes when all is over, after every member was recovered; in the history as its own. */
  readonly after?: (witness: MemberOf, call: Calls) => void;
  /** Whether bytes at an address are looked at by nobody but the caller, once a call that copies them has returned. */
  readonly isBody?: (at: number) => boolean;
  /** Things that must hold then besides. @throws what does not */
  readonly check?: (world: World, witness: MemberOf) => void;
}

/** A role that never dies. */
export const survivor = (role: Role): Role => ({ ...role, isImmortal: true });

/** One algorithm with the members that meet in it. */
export interface Scenario {
  readonly name: string;
  /** The algorithm that it is one of. */
  readonly algorithm: string;
  /** Members that may die in one schedule; each has somebody who recovers it. */
  readonly deaths: number;
  readonly region?: Partial<WorldOptions>;
  /** Schedules of the short form with weak memory, where the usual number would not find what the scenario is there for. */
  readonly weakSchedules?: number;
  /** Members of the story; there are as many more as may die, and a witness. */
  readonly members: number;
  tell(world: World): Story;
}

/** Every answer is right: what counts is that calls return, and what lies there in the end. */
export const anything: Model<undefined> = { initial: undefined, step: (state) => [state] };

/** What a call answers that its deadline ended. */
export const TIMED_OUT = "timed out";

/** What a call answers that ends with its object. */
export const CLOSED = "closed";

/** Runs a call that may fail with an error of one code, which is an answer then. */
function orElse<T, A>(code: string, answer: A, act: () => T): T | A {
  try {
    return act();
  } catch (error) {
    if (error instanceof ShmkitError && error.code === code) return answer;
    throw error;
  }
}

/** Runs a call with a deadline. */
export const within = <T>(act: (options: { timeoutMs: number }) => T): T | typeof TIMED_OUT =>
  orElse("ERR_TIMEOUT", TIMED_OUT, () => act({ timeoutMs: 1000 }));

/** Runs a call on what somebody closes. */
export const unlessClosed = <T>(act: () => T): T | typeof CLOSED => orElse("ERR_CLOSED", CLOSED, act);
