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
  let isOver = false;
  try {
    const buffer = await BoundedBuffer.open(region, numbers);
    region.on("memberDied", () => isOver || buffer.wakeAll());

    const latest = new Map<Role, Child>();
    const keepWorking = async (role: Role): Promise<void> => {
      for (;;) {
        const worker = children.start("../examples/buffer-worker.js", [name, role, numbers]);
        latest.set(role, worker);
        try {
          return await worker.succeeds();
        } catch (error) {
          if (!worker.wasKilled || isOver) throw error;
        }
        await print(`${role} ${worker.pid} was killed, another one takes its place`);
      }
    };
    const taken = async (count: number): Promise<void> => {
      while ((await buffer.totals()).taken < count) await sleep(5, undefined, { signal });
    };

    await print(
      `${producers} producers, ${consumers} consumers, a buffer of ${CAPACITY} places, ${formatCount(numbers)} numbers:`,
    );
    const done = Promise.all([
      ...Array.from({ length: producers }, () => keepWorking("producer")),
      ...Array.from({ length: consumers }, () => keepWorking("consumer")),
    ]);
    await Promise.race([taken(numbers / 3), done]);
    latest.get("producer")?.kill();
    await Promise.race([taken((numbers / 3) * 2), done]);
    latest.get("consumer")?.kill();
    await done;

    const totals = await buffer.totals();
    const expected = (numbers * (numbers + 1)) / 2;
    await print(`${formatCount(totals.taken)} taken, which add up to ${formatCount(totals.sum)}`);
    if (totals.taken !== numbers || totals.sum !== expected)
      throw new CommandError("ERR_VERIFICATION", `${numbers} numbers add up to ${expected}`, 1);
  } finally {
    isOver = true;
    await children.end();
    await region.close();
  }
}
