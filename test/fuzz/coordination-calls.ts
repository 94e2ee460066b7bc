/** Calls on the objects by which members wait for each other. */
import type { Condition, Mutex, Region } from "shmkit";

/** Every call that may wait: what is damaged may never come about. */
export const soon = { timeoutMs: 3 } as const;

/** What a member has open of them. */
export interface Coordination {
  readonly condition: Condition;
  /** Of the condition. */
  readonly gate: Mutex;
}

export async function openCoordination(region: Region): Promise<Coordination> {
  return { condition: await region.condition("condition", soon), gate: await region.mutex("gate", soon) };
}

/** Each by its name for people. */
export function coordinationCalls({ condition, gate }: Coordination): Record<string, () => unknown> {
  return {
    "wait for a condition": async () => {
      using guard = await gate.lock(soon);
      await condition.wait(guard, soon);
    },
    "wait for a condition blocking": () => {
      using guard = gate.lockSync(soon);
      condition.waitForSync(guard, () => false, soon);
    },
    "notify one": () => condition.notifyOne(),
    "notify all": () => condition.notifyAll(),
    "condition's statistics": () => condition.statistics(),
  };
}

/** Gives everything up. */
export function endCoordination(coordination: Coordination): void {
  for (const object of Object.values(coordination) as Mutex[]) object.detach();
}
