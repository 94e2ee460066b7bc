/** What sequences of system calls work on: what was made so far, be it still there or not. */
import { rmSync } from "node:fs";
import { ShmkitError } from "shmkit";
import { mq_unlink, SystemCallError } from "shmkit/posix";
import { IPC_RMID, msgctl, msgget, semctl, semget, shmctl, shmget } from "shmkit/sysv";
import { leftovers, tokenOf } from "../helpers/leftovers.js";
import type { Random } from "../helpers/process-random.js";
import { systemVIdsMadeBy } from "../helpers/system-v-objects.js";

const NAMES = 3;
const KEYS = 3;
/** So many of a kind are held; another one takes the place of one of them. */
const MOST_OF_A_KIND = 5;

const nameOf = (pid: number, index: number): string => `${tokenOf("")}-${pid}-system-${index}`;
/** Nobody else's, and to be told from outside. */
const keyOf = (pid: number, index: number): number => 0x5e000000 + pid * KEYS + index;

/** How the addon refuses an argument that no system call takes. */
const REFUSAL = /^\w+: \w+ must be /;

/** How calls may end: in a value, or in one of these. */
export const isTyped = (error: unknown): boolean =>
  error instanceof ShmkitError ||
  error instanceof SystemCallError ||
  ((error instanceof RangeError || error instanceof TypeError) && REFUSAL.test(error.message)) ||
  (error as Error).name === "TimeoutError";

/** What one sequence has in its hands. */
export class Scene {
  private readonly kinds = new Map<string, unknown[]>();
  /** Calls that have not ended. */
  readonly pending = new Set<Promise<unknown>>();

  constructor(readonly random: Random) {}

  /** Something made before, of this kind; undefined if there is none. */
  one<T>(kind: string): T | undefined {
    const items = this.kinds.get(kind);
    return items === undefined ? undefined : (this.random.of(items) as T);
  }

  /** Keeps what a call made. */
  keep = <T>(kind: string, made: T): T => {
    const items = this.kinds.get(kind) ?? [];
    this.kinds.set(kind, items);
    if (items.length < MOST_OF_A_KIND) items.push(made);
    else items[this.random.below(items.length)] = made;
    return made;
  };

  all<T>(kind: string): readonly T[] {
    return (this.kinds.get(kind) ?? []) as T[];
  }

  name = (): string => nameOf(process.pid, this.random.below(NAMES));
  key = (): number => keyOf(process.pid, this.random.below(KEYS));
  path = (): string => `/dev/shm/${this.name()}`;
  chance = (oneIn: number): boolean => this.random.below(oneIn) === 0;

  /** A wait that ends soon, in one way or the other. */
  soon = (): { timeoutMs: number; signal?: AbortSignal } => {
    const timeoutMs = this.random.below(4);
    return this.chance(4) ? { timeoutMs, signal: AbortSignal.timeout(this.random.below(3)) } : { timeoutMs };
  };
}

/** Takes away what a process has made and, if it crashed, left. */
export function removeSystemObjects(pid: number): void {
  const gone = (act: () => unknown): void => {
    try {
      act();
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
    }
  };
  for (let i = 0; i < KEYS; i++) {
    const key = keyOf(pid, i);
    gone(() => shmctl(shmget(key, 0, 0), IPC_RMID));
    gone(() => semctl(semget(key, 0, 0), 0, IPC_RMID));
    gone(() => msgctl(msgget(key, 0), IPC_RMID));
  }
  for (const id of systemVIdsMadeBy(pid)) gone(() => shmctl(id, IPC_RMID));
  for (let i = 0; i < NAMES; i++) gone(() => mq_unlink(`/${nameOf(pid, i)}`));
  for (const name of leftovers()) if (name.includes(`-${pid}-system-`)) rmSync(`/dev/shm/${name}`, { force: true });
}
