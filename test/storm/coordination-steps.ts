/** Steps on the objects by which members wait for each other. The model does not follow them: they must end, and leave nothing behind. */
import { ShmkitError, type Region } from "shmkit";
import type { Random } from "../helpers/process-random.js";

type Wait = { timeoutMs: number };

async function condition(region: Region, random: Random, wait: Wait): Promise<void> {
  const mutex = await region.mutex("passing-gate", { words: 1, ...wait });
  const changed = await region.condition("passing-signal", wait);
  using guard = random.below(2) === 0 ? mutex.lockSync(wait) : await mutex.lock(wait);
  guard.set(0, guard.get(0) + 1);
  const before = guard.get(0);
  const isChanged = (): boolean => guard.get(0) !== before;
  switch (random.below(5)) {
    case 0:
      changed.notifyAll();
      break;
    case 1:
      await changed.waitFor(guard, isChanged, wait);
      break;
    case 2:
      changed.waitForSync(guard, isChanged, wait);
      break;
    default:
      changed.notifyOne();
  }
}

/** Where those objects are. */
export const coordinationOf = ({ conditions }: Region) => [conditions];

const STEPS = [condition];

/** One step; that it found nothing in time is no fault. */
export async function coordinate(region: Region, random: Random, wait: Wait): Promise<void> {
  try {
    await random.of(STEPS)(region, random, wait);
  } catch (error) {
    if (!(error instanceof ShmkitError) || error.code !== "ERR_TIMEOUT") throw error;
  }
}
