import { after, afterEach } from "node:test";
import { open, Region } from "shmkit";
import { assertNothingLeft, uniqueRegionName } from "./leftovers.js";

const named: string[] = [];
const opened: Region[] = [];

/** A name for a region that a command makes; it must be gone after the test. */
export function regionName(label?: string): string {
  named.push(uniqueRegionName(label));
  return named.at(-1)!;
}

/** A region of this process, which is closed after the test; by the name of one that is there, another member of that. */
export async function joined(label?: string, name = regionName(label)): Promise<Region> {
  opened.push(await open(name, { size: "1MiB", label: "tester" }));
  return opened.at(-1)!;
}

afterEach(async () => {
  for (const region of opened.splice(0)) await region.close();
  assertNothingLeft();
});
after(async () => {
  for (const name of named) await Region.remove(name).catch(() => undefined);
});
