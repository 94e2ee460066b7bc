/**
 * `main.js RESULTS`: every check on Windows, by Windows' own Node. Writes what came of each to a file, since under Wine it cannot
 * write to a pipe of the system below.
 */
import { writeFileSync } from "node:fs";
import { endMembers } from "../helpers/driven-member.js";
import { endPeers } from "./peers.js";
import { ERRORS } from "./errors.js";
import { MAPPINGS } from "./mappings.js";
import { REGIONS } from "./regions.js";
import { WAITS } from "./waits.js";

/** Nothing takes so long, however busy the machine. */
const WATCHDOG_MS = 120_000;

const checks: Readonly<Record<string, () => Promise<void> | void>> = { ...MAPPINGS, ...WAITS, ...ERRORS, ...REGIONS };
const [, , path] = process.argv;
const outcomes: Record<string, string> = {};
const write = (): void =>
  writeFileSync(path, JSON.stringify({ version: process.versions.node, planned: Object.keys(checks), outcomes }));

async function outcomeOf(check: () => Promise<void> | void): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  try {
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`not done after ${WATCHDOG_MS / 1000} s`)), WATCHDOG_MS);
    });
    await Promise.race([check(), late]);
    return "ok";
  } catch (error) {
    return (error as Error).stack ?? String(error);
  } finally {
    clearTimeout(timer);
    endPeers();
  }
}

write();
for (const [title, check] of Object.entries(checks)) {
  outcomes[title] = await outcomeOf(check);
  write();
}
await endMembers();
process.exit(0);
