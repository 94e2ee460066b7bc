import { readdirSync, rmSync } from "node:fs";

const DIRECTORY = "/dev/shm";

/** Part of every region name that this test file uses; the runner chooses it and looks for it afterwards. */
const TEST_TOKEN = process.env.SHMKIT_TEST_TOKEN ?? `t${process.pid.toString()}`;

let count = 0;

/** A region name that no other test uses and whose owner can be told when it is left behind. */
export function uniqueRegionName(label = "region"): string {
  count += 1;
  return `${TEST_TOKEN}-${process.pid.toString()}-${count.toString()}-${label}`;
}

/** Names in shared memory that this test file, its children included, has made and not removed; or those of another token. */
export function leftovers(token = TEST_TOKEN): string[] {
  return readdirSync(DIRECTORY).filter((name) => name.includes(token));
}

/** For a child whose leftovers are to be told from everybody else's. */
export const tokenOf = (child: string): string => `${TEST_TOKEN}${child}`;

/** Takes away what a child that was killed has left; the names. */
export function removeLeftovers(token: string): string[] {
  const names = leftovers(token);
  for (const name of names) rmSync(`${DIRECTORY}/${name}`, { force: true });
  return names;
}

/** Throws when {@link leftovers} finds anything. */
export function assertNothingLeft(): void {
  const names = leftovers();
  if (names.length > 0) throw new Error(`left behind in ${DIRECTORY}: ${names.join(", ")}`);
}
