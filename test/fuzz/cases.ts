/**
 * One case of the fuzzer: a region is made, damaged, and used. Everything in it follows from its seed, up to how threads
 * and processes happen to interleave.
 */
import { closeSync, openSync, readFileSync, rmSync, truncateSync, writeSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { open, Region } from "shmkit";
import { decode, encode } from "#src/channels/codec.js";
import { IN_BLOCK, RECORD, RecordKind } from "#src/layout/pipe.js";
import { Random } from "../helpers/process-random.js";
import { callsOf, lastCallsOf, REGION, takeAndFill, takeInHands, type Call, type Hands } from "./calls.js";
import { nextHit, type Hit } from "./damage.js";
import { hostileMessage } from "./hostile-messages.js";
import type { Judge } from "./judge.js";
import { findPlaces } from "./places.js";

/** The other threads of the process that runs the cases. */
export interface Threads {
  /** A member in a thread of its own, which does everything until told to stop. */
  use(region: string, seed: number): Promise<void>;
  /** Writes damage into the file behind a region, and most of it away again. */
  scribble(path: string, hits: readonly ScribbledHit[], seed: number): void;
  /** Stops both and answers what the member found. */
  stop(): Promise<Judge["findings"] | undefined>;
}

/** Damage, and what was there before. */
export interface ScribbledHit {
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly before: Uint8Array;
}

/** What a case is given. */
export interface Setting {
  readonly seed: number;
  readonly name: string;
  readonly judge: Judge;
  readonly threads: Threads;
  /** Told of each piece of damage. */
  readonly onHit: (struct: string, text: string) => void;
}

type Case = (setting: Setting, random: Random) => Promise<void>;

/** Calls in an order of the seed. */
async function inRandomOrder(calls: Call[], { judge }: Setting, random: Random, most = Infinity): Promise<void> {
  for (let done = 0; calls.length > 0 && done < most; done++) {
    const [{ label, act, isValid }] = calls.splice(random.below(calls.length), 1);
    await judge.call(label, act, isValid);
  }
}

async function inOrder(calls: readonly Call[], { judge }: Setting): Promise<void> {
  for (const { label, act, isValid } of calls) await judge.call(label, act, isValid);
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The backed bytes of a region's file, as a private copy. */
const copyOf = (path: string): Uint8Array => Uint8Array.from(readFileSync(path));

/** Hits on the structures as they are now. */
function chooseHits(image: Uint8Array, count: number, random: Random, { onHit }: Setting): Hit[] {
  const view = viewOf(image);
  const places = findPlaces(view);
  return Array.from({ length: count }, () => {
    const hit = nextHit(view, places, random);
    onHit(hit.struct, hit.text);
    return hit;
  });
}

/** Damages a file of a region and answers whether something is left to be opened. */
function writeHits(path: string, hits: readonly Hit[]): void {
  const file = openSync(path, "r+");
  for (const { bytes, offset } of hits) writeSync(file, bytes, 0, bytes.length, offset);
  closeSync(file);
}

const howMany = (random: Random): number => random.of([1, 2, 5, 20, 50]);

/** Everything with two members, whatever state the region is in. */
async function useBoth(hands: readonly Hands[], setting: Setting, random: Random): Promise<void> {
  const calls = hands.flatMap((own) => callsOf(own, random));
  await inRandomOrder(calls, setting, random);
  for (const own of hands) await inOrder(lastCallsOf(own), setting);
  for (const { region } of hands) await setting.judge.call("close", () => region.close());
}

/** The region lies there, damaged or cut off, and somebody comes. */
const atRest: Case = async (setting, random) => {
  const { name, judge } = setting;
  const maker = await Region.create(name, { ...REGION, lifetime: "kernel" });
  await takeAndFill(maker, random);
  const { path } = maker;
  await maker.close();
  const image = copyOf(path);
  if (random.below(6) === 0) {
    const length = random.below(random.of([64, 8192, image.length]));
    setting.onHit("file", `truncated to ${length} bytes`);
    truncateSync(path, length);
  } else writeHits(path, chooseHits(image, howMany(random), random, setting));
  await judge.call("inspect", () => Region.inspect(name));
  for (const how of ["open", "openOrCreate"] as const) {
    let region: Region | undefined;
    await judge.call(how, async () => void (region = await Region[how](name, { timeoutMs: 20 })));
    if (region === undefined) continue;
    let hands: Hands | undefined;
    const opened = region;
    await judge.call("open objects", async () => void (hands = await takeInHands(opened)));
    if (hands !== undefined) await inRandomOrder(callsOf(hands, random), setting, random);
    await judge.call("close", () => opened.close());
  }
  await judge.call("Region.remove", () => Region.remove(name, { timeoutMs: 20 }));
};

/** Two members have it open, with a message on lease and a mutex in hand, when it is damaged. */
const underUse: Case = async (setting, random) => {
  const { name, judge } = setting;
  const first = await takeAndFill(await Region.create(name, REGION), random);
  const second = await takeInHands(await open(name));
  const pending = [
    second.mutex.lock().then((guard) => guard.release()),
    second.region.pipes.open("never", { wait: true }),
    second.counter.waitFor(2n ** 62n),
  ];
  for (const wait of pending) wait.catch(() => undefined);
  writeHits(first.region.path, chooseHits(copyOf(first.region.path), howMany(random), random, setting));
  await useBoth([first, second], setting, random);
  for (const wait of pending) await judge.call("pending", () => wait);
};

/** Words change under members at any moment, in another thread too, and most change back. */
const scribbled: Case = async (setting, random) => {
  const { name, judge, threads } = setting;
  const own = await takeAndFill(await Region.create(name, REGION), random);
  const other = await takeInHands(await open(name));
  await threads.use(name, random.below(2 ** 31));
  const image = copyOf(own.region.path);
  const hits = chooseHits(image, 200, random, setting).map(({ offset, bytes }) => ({
    offset,
    bytes,
    before: image.slice(offset, offset + bytes.length),
  }));
  threads.scribble(own.region.path, hits, random.below(2 ** 31));
  for (const hands of [own, other]) await inRandomOrder(callsOf(hands, random), setting, random, 25);
  const found = await threads.stop();
  if (found !== undefined) judge.include(found);
  await useBoth([own, other], setting, random);
};

/** The file becomes shorter under its users. */
const truncated: Case = async (setting, random) => {
  const first = await takeAndFill(await Region.create(setting.name, REGION), random);
  const second = await takeInHands(await open(setting.name));
  const { path } = first.region;
  await inRandomOrder(callsOf(first, random), setting, random, random.below(10));
  const length = random.below(random.of([4096, 65536, copyOf(path).length]));
  setting.onHit("file", `truncated to ${length} bytes`);
  truncateSync(path, length);
  await useBoth([first, second], setting, random);
};

/** What a decoder that has seen hostile messages must still understand; small numbers are what records are named by. */
const SAMPLE = { numbers: [0, 64, 65, 127, -1, 2n ** 70n], text: "good" };
const encoded = encode(SAMPLE);
const GOOD = encoded.slice(encoded.start, encoded.end);

/** Messages that nobody encoded. */
const messages: Case = async (setting, random) => {
  const { name, judge } = setting;
  for (let at = 0; at < 40; at++) {
    const bytes = hostileMessage(random);
    setting.onHit("message", `decode ${Buffer.from(bytes.subarray(0, 80)).toString("hex")}`);
    await judge.call("decode", () => decode(bytes, bytes.length));
    await judge.call(
      "decode a good one",
      () => decode(GOOD, GOOD.length),
      (value) => isDeepStrictEqual(value, SAMPLE),
    );
  }
  const region = await Region.create(name, REGION);
  const pipe = await region.pipe("pipe", { capacity: 1 });
  const view = new DataView(region.buffer);
  for (let at = 0; at < 10; at++) {
    const bytes = hostileMessage(random);
    setting.onHit("message", `receive ${Buffer.from(bytes.subarray(0, 80)).toString("hex")}`);
    const records = findPlaces(view).filter(({ struct }) => struct === RECORD.struct);
    pipe.sendBytesSync(bytes);
    // What was sent as bytes becomes a value on the way.
    for (const { offset } of records) {
      const kind = view.getUint32(offset + RECORD.at.kind, true);
      if ((kind & ~IN_BLOCK & 0xffff) === RecordKind.bytes) view.setUint32(offset + RECORD.at.kind, kind ^ 3, true);
    }
    await judge.call("receive", () => (at % 2 === 0 ? pipe.tryReceive() : pipe.tryReceive({ lease: true })));
  }
  await judge.call("close", () => region.close());
};

const CASES: readonly Case[] = [atRest, underUse, underUse, scribbled, scribbled, truncated, messages];

/** Runs the case of a seed. */
export async function runCase(setting: Setting): Promise<void> {
  const random = new Random(setting.seed);
  await random.of(CASES)(setting, random);
  // A region that was damaged may have nobody any more who could take its name away.
  rmSync(`/dev/shm/shmkit.${setting.name}`, { force: true });
}
