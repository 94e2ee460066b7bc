import { createServer } from "node:net";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

/** An address that no file has: the system gives it to one process at a time, and takes it back when that ends. */
const ADDRESS = "\0shmkit-tests-of-the-dead";
const AGAIN_MS = 20;

/**
 * Waits until no other test on this machine has its turn, and keeps it to the end of this one: for those that leave a region behind
 * and look at it, and for those that take away whatever is left behind by anybody.
 */
export async function turnAmongTheDead(t: TestContext): Promise<void> {
  const turn = createServer();
  const isMine = (): Promise<boolean> =>
    new Promise((resolve, reject) => {
      turn.once("error", (error: NodeJS.ErrnoException) => {
        turn.removeAllListeners("listening");
        if (error.code === "EADDRINUSE") resolve(false);
        else reject(error);
      });
      turn.listen(ADDRESS, () => resolve(true));
    });
  while (!(await isMine())) await sleep(AGAIN_MS);
  t.after(() => new Promise((resolve) => turn.close(resolve)));
}
