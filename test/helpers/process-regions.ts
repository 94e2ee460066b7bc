import type { TestContext } from "node:test";
import { open, Region, type RegionOptions } from "shmkit";
import { uniqueRegionName } from "./leftovers.js";
// Fails a file that leaves a name behind.
import "./process-member.js";

/** Small enough for many at a time in 64 MB of shared memory. */
export const SMALL: RegionOptions = { size: "256KiB", maxSize: "8MiB", maxMembers: 16 };

/** Where the file of a region is. */
export const pathOf = (name: string): string => `/dev/shm/shmkit.${name}`;

/** A new region of this process, which is closed after the test. */
export async function testRegion(t: TestContext, label: string, options: RegionOptions = SMALL): Promise<Region> {
  const region = await Region.create(uniqueRegionName(label), options);
  t.after(() => region.close());
  return region;
}

/** A handle of this process on a region that others may have made, closed after the test. */
export async function joinRegion(t: TestContext, name: string, options: RegionOptions = {}): Promise<Region> {
  const region = await open(name, { size: SMALL.size!, ...options });
  t.after(() => region.close());
  return region;
}
