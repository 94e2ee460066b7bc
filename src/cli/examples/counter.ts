import { Region } from "#shmkit";
import type { Children } from "../demo/children.js";
import { CommandError } from "../exit-codes.js";
import { formatCount, formatMicroseconds } from "../figures.js";
import { LOCKS, makeLock, type LockName } from "./locks.js";

/**
 * Processes add to one number in shared memory: without a lock, until increments got lost; then with one, where none may.
 * In the end a process is killed while it has the lock, and the next one has to get it.
 */
export async function counter(
  lock: LockName,
  processes: number,
  times: number,
  children: Children,
  signal: AbortSignal,
  print: (line: string) => unknown,
): Promise<void> {
  const total = processes * times;
  const name = `example-${process.pid}`;
  const region = await Region.create(name, { size: "1MiB", maxSize: "1MiB", label: "counter", signal });
  try {
    await makeLock(region, lock);
    const enter = await LOCKS[lock](region);
    const [count, ready, go] = await Promise.all(["count", "ready", "go"].map((each) => region.counter(each)));

    const sumOf = async (how: LockName | "nothing"): Promise<number> => {
      for (const each of [count, ready, go]) each.setSync(0);
      const adders = Array.from({ length: processes }, () =>
        children.start("../examples/counter-adder.js", [name, how, times]),
      );
      const done = Promise.all(adders.map((adder) => adder.succeeds()));
      await Promise.race([ready.waitFor(processes, { signal }), done]);
      go.addSync(); // all of them at once
      await done;
      return Number(count.value);
    };

    await print(`${processes} processes add 1 to a number in shared memory, ${formatCount(times)} times each:`);
    for (let lost = 0; lost === 0;) {
      lost = total - (await sumOf("nothing"));
      await print(`without a lock:   ${formatCount(total - lost)} of ${formatCount(total)}, ${formatCount(lost)} lost`);
    }
    const sum = await sumOf(lock);
    await print(`${`with a ${lock}:`.padEnd(17)} ${formatCount(sum)} of ${formatCount(total)}`);
    if (sum !== total)
      throw new CommandError("ERR_VERIFICATION", `${total - sum} increments got lost with a ${lock}`, 1);

    const holder = children.start("../examples/lock-holder.js", [name, lock]);
    await holder.says();
    const killedAt = performance.now();
    holder.kill();
    enter()();
    const us = (performance.now() - killedAt) * 1000;
    await print(`killed inside:    the next one got in ${formatMicroseconds(us)} later`);
  } finally {
    await children.end();
    await region.close();
  }
}
