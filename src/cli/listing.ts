import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { isOnDisk } from "./address.js";
import { Region, ShmkitError, type ObjectInfo, type RegionInfo } from "#shmkit";

/** What a pipe moves, between two looks. */
export interface Rates {
  readonly sentPerSecond: number;
  readonly receivedPerSecond: number;
}

export interface ListedObject extends ObjectInfo {
  readonly rates?: Rates;
}

export interface ListedRegion extends Omit<RegionInfo, "objects"> {
  readonly objects: readonly ListedObject[];
}

/** A file with a region's name that cannot be looked at, and why. */
export interface UnreadableRegion {
  readonly name: string;
  readonly code: string;
  readonly message: string;
}

export interface Listing {
  readonly regions: readonly ListedRegion[];
  readonly unreadable: readonly UnreadableRegion[];
}

/** shm_overview(7); the library's regions are the files of this prefix. */
const DIRECTORY = "/dev/shm";
const PREFIX = "shmkit.";

export const pathOfRegion = (name: string): string => (isOnDisk(name) ? name : `${DIRECTORY}/${PREFIX}${name}`);

/** Names of the files that look like regions, valid or not. */
export function regionNames(): string[] {
  return readdirSync(DIRECTORY)
    .filter((file) => file.startsWith(PREFIX))
    .map((file) => file.slice(PREFIX.length))
    .sort();
}

/** One look at everything, without rates; what nobody uses any more is removed first. */
async function lookAtAll(): Promise<Listing> {
  const regions = await Region.list();
  const names = regionNames().filter((name) => !regions.some((region) => region.name === name));
  const others = lookAt(names, "skip");
  return { regions: [...regions, ...others.regions], unreadable: others.unreadable };
}

/**
 * One look at some regions; those that do not exist are missing in the answer.
 * @throws ERR_INVALID_NAME, unless such names are to be skipped: those of other programs' files
 */
export function lookAt(names: readonly string[], invalid: "throw" | "skip"): Listing {
  const regions: ListedRegion[] = [];
  const unreadable: UnreadableRegion[] = [];
  for (const name of names) {
    try {
      const region = Region.inspect(name);
      if (region !== undefined) regions.push(region);
    } catch (error) {
      if (!(error instanceof ShmkitError)) throw error;
      if (error.code === "ERR_INVALID_NAME") {
        if (invalid === "skip") continue;
        throw error;
      }
      unreadable.push({ name, code: error.code, message: error.message });
    }
  }
  return { regions, unreadable };
}

/** One look at the regions of these names, or at all if there are none. */
export async function look(names: readonly string[]): Promise<Listing> {
  return names.length === 0 ? lookAtAll() : lookAt(names, "throw");
}

/** The later of two looks, with what moved between them. */
export function withRates(before: Listing, after: Listing, seconds: number): Listing {
  const regions = after.regions.map((region) => {
    const earlier = before.regions.find(({ name, epoch }) => name === region.name && epoch === region.epoch);
    return { ...region, objects: region.objects.map((object) => withRate(earlier, object, seconds)) };
  });
  return { ...after, regions };
}

function withRate(earlier: ListedRegion | undefined, object: ListedObject, seconds: number): ListedObject {
  const known = earlier?.objects.find(
    ({ name, createdAt }) => name === object.name && createdAt.getTime() === object.createdAt.getTime(),
  );
  if (object.pipe === undefined || known?.pipe === undefined) return object;
  const perSecond = (now: number, then: number): number => Math.max(0, Math.round((now - then) / seconds));
  const rates = {
    sentPerSecond: perSecond(object.pipe.sent, known.pipe.sent),
    receivedPerSecond: perSecond(object.pipe.received, known.pipe.received),
  };
  return { ...object, rates };
}

/** Two looks, if there is a pipe whose rates matter. */
export async function listing(names: readonly string[], intervalMs: number, signal: AbortSignal): Promise<Listing> {
  const started = performance.now();
  const before = await look(names);
  if (intervalMs === 0 || !before.regions.some(({ objects }) => objects.some(({ kind }) => kind === "pipe")))
    return before;
  await sleep(intervalMs, undefined, { signal });
  const seconds = (performance.now() - started) / 1000;
  return withRates(before, await look(names), seconds);
}
