import { Region, ShmkitError, type RegionInfo } from "#shmkit";
import { CommandError } from "./exit-codes.js";
import { partyName } from "./holders.js";
import { isTimeout, type Patience } from "./patience.js";

/** `work` on a region; a time that ran out is told as it was given, and with the process that stood in the way. */
export async function toldOnTime<T>(
  what: string,
  { region, patience }: { readonly region: string; readonly patience: Patience },
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // What the library says is of one of several steps: in the time that the others left, and with the number of a slot.
    if (!(error instanceof ShmkitError) || !isTimeout(error)) throw error;
    throw timeoutOf(`${what} did not finish${patience.within}`, ownerName(region, error.owner));
  }
}

/** @param who has what was waited for, for people; undefined if nobody is known */
export function timeoutOf(message: string, who: string | undefined): CommandError {
  const held = who === undefined ? "" : `; held by ${who}`;
  return new CommandError("ERR_TIMEOUT", message + held, 3, who === undefined ? {} : { owner: who });
}

/** A region as it is now; undefined if it is not there any more, or damaged. */
export function glance(name: string): RegionInfo | undefined {
  try {
    return Region.inspect(name);
  } catch (error) {
    if (error instanceof ShmkitError) return undefined;
    throw error;
  }
}

/** The member whom an error of the library names. */
function ownerName(regionName: string, owner: unknown): string | undefined {
  const [, slot] = /^member (\d+)\b/.exec(String(owner)) ?? [];
  const region = slot === undefined ? undefined : glance(regionName);
  return region === undefined ? undefined : partyName(region, { slot: Number(slot) });
}
