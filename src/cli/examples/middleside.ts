import { Region } from "#shmkit";
import { TABS, type Tab } from "./tab.js";

/** Adds its own sequence number to what comes out of one pipe and puts it into another. */
export async function middleside(
  shm: string,
  inPipe: string,
  outPipe: string,
  capacity: number,
  signal: AbortSignal,
  print: (value: unknown) => unknown,
): Promise<void> {
  const region = await Region.open(shm, { wait: true, label: "middleside", signal });
  try {
    const out = await region.pipe<Tab>(outPipe, { capacity, signal });
    const input = await region.pipes.open(inPipe, { wait: true, signal });
    for (let last = -1; last !== TABS * 2 - 1;) {
      const tab = (await input.receive({ signal })) as Tab;
      last = tab.sequence_number + 100;
      const numbered: Tab = { ...tab, my_sequence: last };
      await print(numbered);
      await out.send(numbered, { signal });
    }
    await out.drain({ signal });
  } finally {
    await region.close();
  }
}
