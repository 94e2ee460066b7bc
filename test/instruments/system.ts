/**
 * The system under the library, as far as members must be able to die in it: each call with an effect is a step of the
 * member that makes it, what a member holds is known and taken back at its death, and nothing runs beside the one thread
 * (no doorbell threads, no sleeps: a sleeping member lets the test act instead, and time is what the test says).
 */
import { constants } from "node:os";
import { native } from "#src/native/addon.js";
import type { Mapping, NativeAddon } from "#src/native/contract.js";
import { adopt, Agent } from "./agent.js";

const { errno } = constants;
const system: NativeAddon = { ...native };

/** Milliseconds since the start of time, as the library sees it. */
let clock = 0;

/** What the others do while a member sleeps; called once per sleep. */
let onPark: () => void = () => undefined;

export function whileParked(act: () => void): void {
  onPark = act;
}

/** Lets time pass. */
export function passTime(milliseconds: number): void {
  clock += milliseconds;
}

/** Calls whose effect others can see or the kernel keeps: steps. */
const STEPS = [
  ...(["lock", "unlock", "allocate", "punch", "pin", "unpin", "closeMapping", "unlink"] as const),
  ...(["linkDescriptor", "linkPath", "close", "truncate", "openTemporary", "createExclusive"] as const),
] as const;
type Step = (typeof STEPS)[number];

/** Keeps the books of what the member holds. */
function record(agent: Agent, name: Step | "openExisting" | "reopen", args: readonly unknown[], result: number): void {
  if (result < 0) return;
  const [first, second] = args as [number, number];
  if (name === "lock") {
    if (!agent.locks.has(first)) agent.locks.set(first, new Set());
    agent.locks.get(first)!.add(second);
  } else if (name === "unlock") agent.locks.get(first)?.delete(second);
  else if (name === "close") {
    agent.descriptors.delete(first);
    agent.locks.delete(first);
  } else if (name === "closeMapping") agent.mappings.delete(first);
  else if (name === "openTemporary" || name === "createExclusive" || name === "openExisting" || name === "reopen")
    agent.descriptors.add(result);
}

function wrap(name: Step | "openExisting" | "reopen", isStep: boolean): void {
  const call = Reflect.get(system, name) as (...args: unknown[]) => number;
  const wrapped = (...args: unknown[]): number => {
    const agent = Agent.current;
    if (agent === undefined) return call(...args);
    if (agent.isDead || (isStep && !agent.step())) return 0;
    const result = call(...args);
    if (isStep && result >= 0) agent.changed();
    record(agent, name, args, result);
    return result;
  };
  Object.assign(native, { [name]: wrapped });
}

/** Puts the double of the system into place, for this process and for good. */
export function instrumentSystem(): void {
  for (const name of STEPS) wrap(name, true);
  wrap("openExisting", false);
  wrap("reopen", false);
  const replaced: Partial<NativeAddon> = {
    map: (descriptor, lengthBytes, writable, shared, keepsFile): Mapping | number => {
      const mapping = system.map(descriptor, lengthBytes, writable, shared, keepsFile);
      if (typeof mapping === "number") return mapping;
      Agent.current?.mappings.add(mapping.id);
      adopt(mapping.buffer);
      return mapping;
    },
    wake: () => {
      Agent.current?.step();
      return 0;
    },
    park: (_mapping, _offset, _expected, timeoutMs) => {
      Agent.current?.step();
      passTime(Math.max(timeoutMs, 1));
      onPark();
      return -errno.ETIMEDOUT;
    },
    startWaiter: () => 0,
    watchDeaths: () => -errno.EMFILE,
    refWaiter: () => 0,
    unrefWaiter: () => 0,
    setExitPlan: () => 0,
    // Read from /proc at each call.
    startTime: () => 1,
  };
  Object.assign(native, replaced);
  performance.now = () => clock;
}

/** What the kernel does when the member dies: its liveness goes, and every lock it took. Its memory is left, for others to look at. */
export function releaseAsKernel(agent: Agent): void {
  for (const mapping of agent.mappings) system.unpin(mapping);
  for (const [descriptor, offsets] of agent.locks) for (const offset of offsets) system.unlock(descriptor, offset);
  agent.locks.clear();
}

/** The rest of it: mappings and descriptors. Views read zeroes from now on. */
export function dispose(agent: Agent): void {
  releaseAsKernel(agent);
  for (const mapping of agent.mappings) system.closeMapping(mapping);
  for (const descriptor of agent.descriptors) system.close(descriptor);
  agent.mappings.clear();
  agent.descriptors.clear();
}

/** The calls themselves, for the harness. */
export { system };
