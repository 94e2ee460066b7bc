import { Region, ShmkitError, type RegionOptions } from "#shmkit";
import { isOnDisk } from "./address.js";
import type { Patience } from "./patience.js";

/** What has to be said of a region on disk when it is opened. */
export const whereItIs = (region: string): Pick<RegionOptions, "lifetime"> =>
  isOnDisk(region) ? { lifetime: "file" } : {};

/** Joins a region whatever its options are, or makes it with these. */
export async function joinRegion(name: string, options: RegionOptions, patience: Patience): Promise<Region> {
  const { label } = options;
  for (;;) {
    try {
      return await Region.open(name, {
        ...whereItIs(name),
        ...(label === undefined ? {} : { label }),
        ...patience.options(),
      });
    } catch (error) {
      if (!(error instanceof ShmkitError) || error.code !== "ERR_NOT_FOUND") throw error;
    }
    try {
      return await Region.create(name, { ...options, ...whereItIs(name), ...patience.options() });
    } catch (error) {
      if (!(error instanceof ShmkitError) || error.code !== "ERR_EXISTS") throw error;
    }
  }
}
