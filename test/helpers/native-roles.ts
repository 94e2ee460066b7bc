/** What the processes of `native-child-main.ts` are asked to do. */

/** Where the roles put things in the file. */
export const BELL = 64;
export const ARMED = 68;
export const STATE = 16;
export const CLOSED = 77;
export const ATTACH_LOCK = 100_000;
export const LIVENESS = 100_001;
export const LIVENESS_COUNT = 8;

export interface RoleArguments {
  /** Pins a byte, says so and waits to be killed. */
  hold: { path: string; offset: number };
  /** Rings the doorbell so many times, then says so. */
  ring: { path: string; times: number };
  /** Parks on the doorbell until its value is no longer `expected`, and says what it is then. */
  park: { path: string; expected: number };
  /** Attaches with an exit plan, in a worker if `worker`, and ends in the given way. */
  leave: { path: string; slot: number; how: Leaving; worker: boolean; plan: "name" | "nameless" };
  /** Faults in memory that was a region before and is not any more, or gets a signal; before the guard came, SIGBUS was treated as told. */
  foreignFault: {
    path: string;
    addon: string;
    before: Exclude<keyof FaultingAddon, "fault"> | "nothing";
    then: "fault" | "signal";
  };
  /** Faults in a region of one copy of the addon after another copy has installed its guard. */
  twoCopies: { path: string; addon: string };
  /** Throws from the waiter's callback and says what the process makes of it. */
  throwInCallback: { path: string };
  /** Loads the addon in a worker only, lets that end, then rings and faults what is left of it. */
  workerOnly: { path: string; addon: string };
  /** Ends by itself with a waiter that nobody waits for; `referenced` needs a ring first. */
  idle: { path: string; referenced: boolean };
  /** Closes a mapping that cannot be replaced by private memory. */
  noPrivateMemory: { path: string; mapBytes: number };
}
/** Made by `native-faulting-addon.ts`. */
export interface FaultingAddon {
  fault(address: number): void;
  ignore(): void;
  handle(): void;
}
export type RoleName = keyof RoleArguments;
export type Leaving = "natural" | "exit" | "uncaught" | "terminate" | "exit-with-worker" | "killed";
