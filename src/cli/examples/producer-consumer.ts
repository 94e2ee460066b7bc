import { setTimeout as sleep } from "node:timers/promises";
import { Region } from "#shmkit";
import type { Child, Children } from "../demo/children.js";
import { CommandError } from "../exit-codes.js";
import { formatCount } from "../figures.js";
import { BoundedBuffer, CAPACITY } from "./bounded-buffer.js";

type Role = "producer" | "consumer";

/** More would not fit the 32 bits of the sum. */
export const MAX_NUMBERS = 65_535;

/**
 * Producers put numbers into a bounded buffer in shared memory, consumers take and add them up. One of each is killed on the
 * way, and another one takes its place; still every number is to be taken once.
 */
export async function producerConsumer(
  producers: number,
  consumers: number,
  numbers: number,
  children: Children,
  signal: AbortSignal,
  print: (line: string) => unknown,
): Promise<void> {
  const name = `example-${process.pid}`;
  const region = await Region.create(name, { size: "1MiB", maxSize: "1MiB", label: "producer-consumer", signal });
  try {
    const buffer = await BoundedBuffer.open(region, numbers);
    region.on("memberDied", () => buffer.wakeAll());
    const start = (role: Role): Child => children.start("../examples/buffer-worker.js", [name, role, numbers]);
    const workers: Record<Role, Child[]> = {
      producer: Array.from({ length: producers }, () => start("producer")),
      consumer: Array.from({ length: consumers }, () => start("consumer")),
    };
    await print(
      `${producers} producers, ${consumers} consumers, a buffer of ${CAPACITY} places, ${formatCount(numbers)} numbers:`,
    );

    for (const [role, share] of [
      ["producer", 1 / 3],
      ["consumer", 2 / 3],
    ] as const) {
      let { taken } = await buffer.totals();
      for (; taken < numbers * share; { taken } = await buffer.totals()) await sleep(5, undefined, { signal });
      const [victim] = workers[role].splice(0, 1, start(role));
      victim.kill();
      await print(`${formatCount(taken)} taken: ${role} ${victim.pid} is killed, another one takes its place`);
    }

    await Promise.all([...workers.producer, ...workers.consumer].map((worker) => worker.succeeds()));
    const { taken, sum } = await buffer.totals();
    const expected = (numbers * (numbers + 1)) / 2;
    await print(`${formatCount(taken)} taken, which add up to ${formatCount(sum)}`);
    if (taken !== numbers || sum !== expected)
      throw new CommandError("ERR_VERIFICATION", `${numbers} numbers add up to ${expected}`, 1);
  } finally {
    await children.end();
    await region.close();
  }
}
