import { Region, type Mutex } from "#shmkit";
import { CommandError } from "../exit-codes.js";

type Print = (line: string) => unknown;

/** As .NET prints them. */
const text = (value: boolean): string => (value ? "True" : "False");

/** What the three processes write, each at its own place. */
const VALUES = { A: true, B: false, C: true } as const;
type Name = keyof typeof VALUES;
const NAMES = Object.keys(VALUES) as Name[];

const MUTEX = "testmapmutex";

/** Writes a Boolean under the mutex. A process that dies here leaves the mutex to the next one, and nothing half-written. */
async function write(mutex: Mutex, name: Name, signal: AbortSignal, print: Print): Promise<void> {
  const guard = await mutex.lock({ signal });
  if (guard.abandoned) await print("The last owner of the mutex died; what it had not finished is undone.");
  guard.set(NAMES.indexOf(name), VALUES[name] ? 1 : 0);
  guard.release();
  await print(`Process ${name} wrote ${text(VALUES[name])}`);
}

/** Makes the mapping and writes to it; when the others have written as well, reads what all of them wrote. */
export async function processA(map: string, signal: AbortSignal, print: Print): Promise<void> {
  const region = await Region.create(map, { size: "1MiB", maxSize: "1MiB", label: "Process A", signal });
  try {
    // The Booleans are words that the mutex guards.
    const mutex = await region.mutexes.create(MUTEX, { words: NAMES.length, signal });
    await write(mutex, "A", signal, print);
    await print("Start processes B and C");
    for (const name of ["B", "C"]) await (await region.counter(`${name} wrote`)).waitFor(1, { signal });

    const guard = await mutex.lock({ signal });
    const values = NAMES.map((_, at) => guard.get(at) === 1);
    guard.release();
    for (const [at, name] of NAMES.entries()) await print(`Process ${name} says: ${text(values[at])}`);
    const wrong = NAMES.filter((name, at) => VALUES[name] !== values[at]);
    if (wrong.length > 0) throw new CommandError("ERR_VERIFICATION", `not what ${wrong.join(" and ")} wrote`, 1);
  } finally {
    await region.close();
  }
}

/** Opens the mapping, which it waits for, and writes to it. */
export async function processBOrC(name: "B" | "C", map: string, signal: AbortSignal, print: Print): Promise<void> {
  const region = await Region.open(map, { wait: true, label: `Process ${name}`, signal });
  try {
    const mutex = await region.mutexes.open(MUTEX, { wait: true, signal });
    await write(mutex, name, signal, print);
    await (await region.counter(`${name} wrote`)).set(1, { signal });
  } finally {
    await region.close();
  }
}
