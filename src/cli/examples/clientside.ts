import { Region } from "#shmkit";
import { TABS } from "./tab.js";

/** Receives 100 Tabs and prints them. */
export async function clientside(
  shm: string,
  pipe: string,
  signal: AbortSignal,
  print: (value: unknown) => unknown,
): Promise<void> {
  const region = await Region.open(shm, { wait: true, label: "clientside", signal });
  try {
    const input = await region.pipes.open(pipe, { wait: true, signal });
    for (let i = 0; i < TABS; i++) await print(await input.receive({ signal }));
  } finally {
    await region.close();
  }
}
