/** Driven members for test files: after the file's last test they are ended, and what they left is looked at. */
import { after } from "node:test";
import { Region } from "shmkit";
import { endMembers, takeLeftovers } from "./driven-member.js";
import { leftovers } from "./leftovers.js";

export * from "./driven-member.js";

/** Looks for regions whose members have all been killed: whoever opens one next takes its name away. */
async function openLeftovers(): Promise<void> {
  for (const name of leftovers()) {
    await Region.open(name.slice("shmkit.".length)).then(
      (region) => region.close(),
      () => undefined,
    );
  }
}

after(async () => {
  await endMembers();
  await openLeftovers();
  const names = takeLeftovers();
  if (names.length > 0) throw new Error(`left behind in /dev/shm: ${names.join(", ")}`);
});
