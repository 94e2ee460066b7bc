/** Loops over memory: fields of structs and views of mapped files, beside typed arrays of the same bytes. */
import { join } from "node:path";
import { int16, MemoryMappedFile, struct } from "shmkit";
import { Latencies, parseRun, wrong } from "./run.js";

const PIXELS = 10_000;
const CHANNELS = 4;
const BRIGHTEST = 32767;
const NUMBERS = 100_000;

const run = parseRun();

/**
 * Passes over all of it, as long as there is time; a step is what is done to one number. Each pass is called by the event
 * loop, as a program's are: called from here, the engine would compile it together with the reading of the clock as one
 * function, and its limit for what goes into one would decide about the pass.
 */
async function passes(pass: () => void, steps: number): Promise<number> {
  const latencies = new Latencies(run);
  const called = Promise.resolve();
  let count = 0;
  while (latencies.next()) {
    await called.then(pass);
    latencies.add(steps);
    count++;
  }
  latencies.report(count * steps);
  return count;
}

function checkPixels(channels: Int16Array, count: number): void {
  const expected = Math.min(count, BRIGHTEST);
  const other = channels.find((channel) => channel !== expected);
  if (other !== undefined) wrong("a channel", other, expected);
}

/** Makes every channel brighter by 1, through the fields of a struct. */
async function brightenStructs(): Promise<void> {
  const MyColor = struct({ red: int16, green: int16, blue: int16, alpha: int16 });
  const channels = new Int16Array(PIXELS * CHANNELS);
  const pixels = MyColor.cursor(channels);
  const count = await passes(() => {
    for (let i = 0; i < pixels.length; i++) {
      const pixel = pixels.at(i);
      pixel.red = Math.min(BRIGHTEST, pixel.red + 1);
      pixel.green = Math.min(BRIGHTEST, pixel.green + 1);
      pixel.blue = Math.min(BRIGHTEST, pixel.blue + 1);
      pixel.alpha = Math.min(BRIGHTEST, pixel.alpha + 1);
    }
  }, PIXELS * CHANNELS);
  checkPixels(channels, count);
}

async function brightenArray(): Promise<void> {
  const channels = new Int16Array(PIXELS * CHANNELS);
  const count = await passes(() => {
    for (let i = 0; i < channels.length; i += CHANNELS) {
      channels[i] = Math.min(BRIGHTEST, channels[i] + 1);
      channels[i + 1] = Math.min(BRIGHTEST, channels[i + 1] + 1);
      channels[i + 2] = Math.min(BRIGHTEST, channels[i + 2] + 1);
      channels[i + 3] = Math.min(BRIGHTEST, channels[i + 3] + 1);
    }
  }, PIXELS * CHANNELS);
  checkPixels(channels, count);
}

const SUM = (NUMBERS * (NUMBERS - 1)) / 2;

/** Adds numbers up. */
async function sums(sum: () => number): Promise<void> {
  await passes(() => {
    const found = sum();
    if (found !== SUM) wrong("the sum", found, SUM);
  }, NUMBERS);
}

async function sumArray(numbers: Int32Array): Promise<void> {
  await sums(() => {
    let sum = 0;
    for (let i = 0; i < numbers.length; i++) sum += numbers[i];
    return sum;
  });
}

/** The same numbers in a file, through a view: by its method, which looks at every access whether it is still there, or by its bytes. */
async function sumView(byMethod: boolean): Promise<void> {
  const file = join(run.folder, "numbers");
  const map = MemoryMappedFile.createFromFileSync(file, { mode: "create-new", capacity: NUMBERS * 4 });
  const view = map.createViewAccessor();
  for (let i = 0; i < NUMBERS; i++) view.writeInt32(i * 4, i);
  if (byMethod)
    await sums(() => {
      let sum = 0;
      for (let i = 0; i < NUMBERS; i++) sum += view.readInt32(i * 4);
      return sum;
    });
  else await sumArray(new Int32Array(view.bytes.buffer, view.bytes.byteOffset, NUMBERS));
  view.check();
  view.close();
  map.close();
}

const PLAYS: Record<string, () => Promise<void>> = {
  "struct-fields struct": brightenStructs,
  "struct-fields array": brightenArray,
  "mapped-view method": () => sumView(true),
  "mapped-view bytes": () => sumView(false),
  "mapped-view array": () => sumArray(Int32Array.from({ length: NUMBERS }, (_, i) => i)),
};

const play = PLAYS[`${run.benchmark} ${run.role}`];
if (play === undefined) throw new Error(`there is no ${run.benchmark} ${run.role}`);
await play();
