/** All numbers of a file are added up: from a copy that is read into memory, or where the file lies, through a view. */
import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { MemoryMappedFile } from "shmkit";
import { Latencies, parseRun, wrong } from "./run.js";

/** The sizes, by the ends of the benchmarks' names. */
const SIZES: Readonly<Record<string, number>> = {
  "4KiB": 2 ** 12,
  "64KiB": 2 ** 16,
  "1MiB": 2 ** 20,
  "16MiB": 2 ** 24,
};
/** What is read between two looks at the clock, at least. */
const BATCH_BYTES = 2 ** 19;

const run = parseRun();
const bytes = SIZES[run.benchmark.replace("copy-or-map-", "")];
const file = join(run.folder, "numbers");
const map = MemoryMappedFile.createFromFileSync(file, { mode: "create-new", capacity: bytes });
const kept = map.createViewAccessor();
const descriptor = openSync(file, "r");

/** The numbers of some memory as they would be in a file of any content. */
const numbersIn = (memory: Uint8Array): Int32Array =>
  new Int32Array(memory.buffer, memory.byteOffset, memory.length / Int32Array.BYTES_PER_ELEMENT);

function sum(memory: Uint8Array): number {
  const numbers = numbersIn(memory);
  let total = 0;
  for (let i = 0; i < numbers.length; i++) total += numbers[i];
  return total;
}

function sumOfCopy(buffer: Uint8Array): number {
  if (readSync(descriptor, buffer, 0, bytes, 0) !== bytes) throw new Error("the file became shorter");
  return sum(buffer);
}

function sumOfView(): number {
  const view = map.createViewAccessor(0, bytes, "read");
  const total = sum(view.bytes);
  view.check();
  view.close();
  return total;
}

const reused = new Uint8Array(bytes);
const SUMS: Readonly<Record<string, () => number>> = {
  map: sumOfView,
  "map-kept": () => sum(kept.bytes),
  read: () => sumOfCopy(reused),
  "read-fresh": () => sumOfCopy(new Uint8Array(bytes)),
};

const once = SUMS[run.role];
if (once === undefined || bytes === undefined) throw new Error(`there is no ${run.benchmark} ${run.role}`);
const numbers = numbersIn(kept.bytes);
for (let i = 0; i < numbers.length; i++) numbers[i] = i;
const expected = (numbers.length * (numbers.length - 1)) / 2;

const times = Math.max(1, BATCH_BYTES / bytes);
const latencies = new Latencies(run);
let checked = 0;
while (latencies.next()) {
  for (let i = 0; i < times; i++) {
    const found = once();
    if (found !== expected) wrong("the sum", found, expected);
  }
  latencies.add(times);
  checked += times;
}
kept.check();
latencies.report(checked);
closeSync(descriptor);
