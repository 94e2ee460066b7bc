import type { Children } from "../demo/children.js";
import { CommandError } from "../exit-codes.js";
import { formatCount } from "../figures.js";
import { CAPACITY, SysvBuffer } from "./sysv-buffer.js";

type Print = (line: string) => unknown;

/**
 * A producer and a consumer in processes of their own, with a System V segment and a mutex in it. Each is killed once while it
 * has the mutex, and another one takes its place; still every number is to be taken once.
 */
export async function sysv(numbers: number, children: Children, print: Print): Promise<void> {
  const buffer = SysvBuffer.create();
  try {
    /** Works until all is done; the first one is killed with the mutex, in the middle of this number. */
    const work = async (role: "producer" | "consumer", killedWith: number): Promise<void> => {
      const start = (staysWith: number) =>
        children.start("../examples/sysv-worker.js", [buffer.shmid, role, numbers, staysWith]);
      const first = start(killedWith);
      await first.says();
      first.kill();
      await first.ended;
      await print(`${role} ${first.pid} was killed while it had the mutex, another one takes its place`);
      await start(0).succeeds();
    };
    await print(`a segment of System V, a buffer of ${CAPACITY} places, ${formatCount(numbers)} numbers:`);
    await Promise.all([work("producer", Math.floor(numbers / 3)), work("consumer", Math.floor((numbers / 3) * 2))]);

    const { taken, sum, deaths } = await buffer.totals();
    const expected = (numbers * (numbers + 1)) / 2;
    await print(
      `${formatCount(taken)} taken, which add up to ${formatCount(sum)}; EOWNERDEAD was told ${deaths} times`,
    );
    if (taken !== numbers || sum !== expected || deaths !== 2)
      throw new CommandError(
        "ERR_VERIFICATION",
        `${numbers} numbers add up to ${expected}, and 2 processes were killed`,
        1,
      );
  } finally {
    await children.end();
    buffer.detach();
  }
}
