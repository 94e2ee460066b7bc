import { formatBytes } from "../../base/sizes.js";
import { probeSystem } from "#shmkit";
import { lookAt, regionNames } from "../listing.js";
import type { Facts } from "./findings.js";

/** What needs the library: loaded only by who is prepared for it not to load. */
export async function examine(): Promise<Pick<Facts, "system" | "unused" | "unreadable">> {
  const { regions, unreadable } = lookAt(regionNames(), "skip");
  return {
    system: await probeSystem(),
    unused: regions
      .filter(({ members }) => !members.some(({ alive }) => alive))
      .map(({ name, lifetime, sizeBytes }) => ({
        name,
        why: `nobody alive uses its ${formatBytes(sizeBytes)}${lifetime === "process" ? "" : `, and it was asked to stay (${lifetime})`}`,
      })),
    unreadable: unreadable.map(({ name, code, message }) => ({ name, why: `${code}: ${message}` })),
  };
}
