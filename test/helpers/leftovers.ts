import { readdirSync } from "node:fs";

const DIRECTORY = "/dev/shm";

/** Part of every region name that this test file uses; the runner chooses it and looks for it afterwards. */
const TEST_TOKEN = process.env.SHMKIT_TEST_TOKEN ?? `t${process.pid.toString()}`;

let count = 0;

/** A region name that no other test uses and whose owner can be told when it is left behind. */
export function uniqueRegionName(label = "region"): string {
  count += 1;
  return `${TEST_TOKEN}-${process.pid.toString()}-${count.toString()}-${label}`;
}

/** Names in shared memory that this test file, its children included, has made and not removed. */
export function leftovers(): string[] {
  return readdirSync(DIRECTORY).filter((name) => name.startsWith("shmkit.") && name.includes(TEST_TOKEN));
}

/** Throws when {@link leftovers} finds anything. */
export function assertNothingLeft(): void {
  const names = leftovers();
  if (names.length > 0) throw new Error(`left behind in ${DIRECTORY}: ${names.join(", ")}`);
}
