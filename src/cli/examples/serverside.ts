import { setTimeout as sleep } from "node:timers/promises";
import { Region } from "#shmkit";
import { TABS, type Tab } from "./tab.js";

/** Makes a region of so many bytes and sends 100 Tabs through a pipe in it, as PicklingTools' serverside_ex does. */
export async function serverside(
  shm: string,
  bytes: number,
  pipe: string,
  capacity: number,
  signal: AbortSignal,
  print: (value: unknown) => unknown,
): Promise<void> {
  const region = await Region.create(shm, { size: bytes, maxSize: bytes, label: "serverside", signal });
  try {
    const out = await region.pipes.create(pipe, { capacity, signal });
    for (let i = 0; i < TABS; i++) {
      const tab: Tab = { sequence_number: i, bi: 10n ** 47n, bu: 10n ** 47n };
      for (let pauseMs = 10; !out.trySend(tab); pauseMs = Math.min(pauseMs * 2, 1000)) {
        await print(`the pipe is full, trying ${i} again`);
        await sleep(pauseMs, undefined, { signal });
      }
    }
    // The region ends with its last member: stay until somebody has come and received everything.
    await out.drain({ signal });
  } finally {
    await region.close();
  }
}
