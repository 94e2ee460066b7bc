import { SharedDeque } from "./shared-deque.js";

type Print = (line: string) => unknown;

/** Puts numbers into the shared deque, waiting while it is full, and stays until all have been taken. */
export async function enqueue(
  key: string,
  numbers: readonly number[],
  signal: AbortSignal,
  print: Print,
): Promise<void> {
  const deque = await SharedDeque.open(key, signal);
  try {
    for (const number of numbers) {
      await deque.put(number);
      await print(`Enqueued: ${number}`);
    }
    await deque.drained();
  } finally {
    await deque.leave();
  }
}

/** Takes so many numbers out of it, waiting while it is empty. */
export async function dequeue(key: string, count: number, signal: AbortSignal, print: Print): Promise<void> {
  const deque = await SharedDeque.open(key, signal);
  try {
    for (let i = 0; i < count; i++) await print(`Dequeued: ${await deque.take()}`);
  } finally {
    await deque.leave();
  }
}
