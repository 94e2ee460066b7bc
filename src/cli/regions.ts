import { Region, ShmkitError, type RegionOptions } from "#shmkit";
import type { Patience } from "./patience.js";

/** Joins a region whatever its options are, or makes it with these. */
export async function joinRegion(name: string, options: RegionOptions, patience: Patience): Promise<Region> {
  const { label } = options;
  for (;;) {
    try {
      return await Region.open(name, { ...(label === undefined ? {} : { label }), ...patience.options() });
    } catch (error) {
      if (!(error instanceof ShmkitError) || error.code !== "ERR_NOT_FOUND") throw error;
    }
    try {
      return await Region.create(name, { ...options, ...patience.options() });
    } catch (error) {
      if (!(error instanceof ShmkitError) || error.code !== "ERR_EXISTS") throw error;
    }
  }
}
