import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { open, Region, type Mutex, type MutexGuard, type Pipe } from "#shmkit";
import { CommandError } from "../exit-codes.js";
import { formatCount } from "../figures.js";

/** Messages that lie in the pipe between two steps, and from one start to the next. */
const BACKLOG = 8;

/** What the mutex guards: how many messages were worked off, and what they add up to, in 32 bits. */
const WORD = { done: 0, sum: 1 } as const;

/**
 * Sends messages and works them off, so many a start, with everything in a region on disk: a counter of the starts, the
 * messages under way, and under a mutex what has been done. Whenever it ends, of itself or by `kill -9`, the next start goes on
 * there, and each message counts once. Several may run at a time.
 */
export async function persistence(
  file: string,
  steps: number,
  reset: boolean,
  signal: AbortSignal,
  print: (line: string) => unknown,
): Promise<void> {
  const path = resolve(file);
  if (reset) await Region.remove(path, { signal });
  const region = await open(path, {
    lifetime: "file",
    size: "1MiB",
    maxSize: "1MiB",
    label: "persistence",
    signal,
  });
  try {
    const starts = await region.counter("starts");
    const ledger = await region.mutex("ledger", { words: 2 });
    const messages = await region.pipe<number>("messages", { capacity: BACKLOG + 1 });
    const start = await starts.add();

    await print(`start ${start}: ${await locked(ledger, signal, (guard) => verify(guard, messages))}`);
    // If the machine went down while the region was in use, what is there has just proven to be right all the same.
    if (region.unclean) region.markClean();
    for (let i = 0; i < steps; i++) {
      await locked(ledger, signal, (guard) => step(guard, messages));
      await sleep(1, undefined, { signal });
    }
    await print(`end:     ${await locked(ledger, signal, (guard) => verify(guard, messages))}`);
  } finally {
    await region.close();
  }
}

/** Sends a message if there is room for one, and works one off. */
function step(guard: MutexGuard, messages: Pipe<number>): void {
  // Each message is its own number: what the pipe counts, it counts in the instant in which it has the message.
  while (messages.statistics().depth <= BACKLOG) messages.trySend(messages.statistics().sent + 1);
  const lease = messages.tryReceive({ lease: true });
  if (lease === undefined) return;
  // The one before it is on its way back from somebody who was killed: in their order, or one would be taken for done.
  if (lease.sequence > guard.get(WORD.done)) return lease.nack();
  // It comes back to its place until it is acknowledged: who was killed just before that had counted it already.
  if (lease.sequence === guard.get(WORD.done)) {
    guard.set(WORD.sum, (guard.get(WORD.sum) + lease.value) >>> 0);
    guard.set(WORD.done, guard.get(WORD.done) + 1);
    guard.commit(); // both, or neither
  }
  lease.ack();
}

/** What there is, in words. @throws ERR_VERIFICATION when anything is missing, or there twice */
function verify(guard: MutexGuard, messages: Pipe<number>): string {
  const { sent, depth, leased } = messages.statistics();
  const done = guard.get(WORD.done);
  const sum = guard.get(WORD.sum) >>> 0;
  const expected = Number(BigInt.asUintN(32, (BigInt(done) * BigInt(done + 1)) / 2n));
  // One that was counted and not acknowledged is there still.
  const again = depth + leased - (sent - done);
  if (sum !== expected || again < 0 || again > 1)
    throw new CommandError(
      "ERR_VERIFICATION",
      `of ${sent} messages ${done} are done, which add up to ${sum}, not ${expected}, and ${depth} wait; --reset begins anew`,
      1,
    );
  return `of ${formatCount(sent)} messages ${formatCount(done)} are done, ${sent - done} wait, none is missing`;
}

async function locked<T>(mutex: Mutex, signal: AbortSignal, work: (guard: MutexGuard) => T): Promise<T> {
  const guard = await mutex.lock({ signal });
  try {
    return work(guard);
  } finally {
    guard.release();
  }
}
