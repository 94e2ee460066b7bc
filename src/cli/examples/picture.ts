import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import type { Children } from "../demo/children.js";
import { CommandError } from "../exit-codes.js";
import { formatCount } from "../figures.js";
import { png } from "./png.js";
import { Ppm } from "./ppm.js";

type Print = (line: string) => unknown;

/** Pixels of a PNG from left to right, at most: of a larger picture it has every second, third … */
const PNG_WIDTH = 800;

/** What the picture is made of, and how bright each channel can be: 0xRRGGBB, of a place from 0 to 1. */
function colourAt(x: number, y: number): number {
  if (y > 0.7 + 0.08 * Math.sin(9 * x)) return 0x2f6b35; // a meadow
  if (y > 0.6 + 0.05 * Math.sin(5 * x + 1)) return 0x3a4a78; // mountains
  if ((x - 0.7) ** 2 + (y - 0.35) ** 2 < 0.01) return 0xf0d070; // the sun
  return ((30 + 60 * y) << 16) | ((60 + 80 * y) << 8) | (120 + 40 * y); // the sky
}

/** What a process brightens. */
interface Part {
  readonly first: number;
  readonly count: number;
  readonly amount: number;
}

/**
 * Makes a picture of any size, which may be larger than memory, in a file that is mapped part by part. Two processes brighten two
 * parts of it at the same time; then every pixel is compared with what this process alone computes. Before and after are
 * PNGs, to be looked at.
 */
export async function picture(
  folder: string,
  width: number,
  height: number,
  children: Children,
  signal: AbortSignal,
  print: Print,
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const [path, before, after] = ["picture.ppm", "before.png", "after.png"].map((name) => join(folder, name));
  const quarter = Math.floor(height / 4);
  const parts: readonly Part[] = [
    { first: quarter, count: quarter, amount: 40 },
    { first: 2 * quarter, count: quarter, amount: 80 },
  ];
  const ppm = Ppm.create(path, width, height);
  try {
    await draw(ppm, signal);
    writeFileSync(before, reduced(ppm));
    await print(`${path}: ${width} × ${height} pixels`);

    const workers = parts.map(({ first, count, amount }) =>
      children.start("../examples/picture-worker.js", [path, first, count, amount]),
    );
    await Promise.all(workers.map((worker) => worker.succeeds()));
    for (const [at, { first, count, amount }] of parts.entries())
      await print(`process ${workers[at].pid} brightened rows ${first} to ${first + count - 1} by ${amount}`);

    const wrong = await compare(ppm, parts, signal);
    if (wrong > 0) throw new CommandError("ERR_VERIFICATION", `${wrong} pixels are not as they should be`, 1);
    writeFileSync(after, reduced(ppm));
    await print(`all ${formatCount(width * height)} pixels are as one process computes them`);
    await print(`to be looked at: ${before}, ${after}`);
  } catch (error) {
    for (const file of [path, before, after]) rmSync(file, { force: true });
    throw error;
  } finally {
    await children.end();
    ppm.close();
  }
}

async function draw(ppm: Ppm, signal: AbortSignal): Promise<void> {
  const { width, height } = ppm;
  for (const { row, pixels } of ppm.rows(0, height)) {
    for (let i = 0; i < pixels.length; i++) {
      const colour = colourAt((i % width) / width, (row + Math.floor(i / width)) / height);
      const pixel = pixels.at(i);
      pixel.red = colour >> 16;
      pixel.green = (colour >> 8) & 0xff;
      pixel.blue = colour & 0xff;
    }
    await interruptible(signal);
  }
}

/** How many pixels are not what this process computes. */
async function compare(ppm: Ppm, parts: readonly Part[], signal: AbortSignal): Promise<number> {
  const { width, height } = ppm;
  let wrong = 0;
  for (const { row, pixels } of ppm.rows(0, height)) {
    for (let i = 0; i < pixels.length; i++) {
      const y = row + Math.floor(i / width);
      const amount = parts.find(({ first, count }) => y >= first && y < first + count)?.amount ?? 0;
      const colour = colourAt((i % width) / width, y / height);
      const pixel = pixels.at(i);
      const isRight =
        pixel.red === Math.min(255, (colour >> 16) + amount) &&
        pixel.green === Math.min(255, ((colour >> 8) & 0xff) + amount) &&
        pixel.blue === Math.min(255, (colour & 0xff) + amount);
      if (!isRight) wrong++;
    }
    await interruptible(signal);
  }
  return wrong;
}

/** A signal is noticed when the event loop has had its turn. */
async function interruptible(signal: AbortSignal): Promise<void> {
  await setImmediate();
  signal.throwIfAborted();
}

/** The picture as PNG, small enough to be looked at. */
function reduced(ppm: Ppm): Uint8Array {
  const step = Math.ceil(ppm.width / PNG_WIDTH);
  const columns = Math.ceil(ppm.width / step);
  const rows: Uint8Array[] = [];
  for (let y = 0; y < ppm.height; y += step)
    for (const { pixels } of ppm.rows(y, 1))
      rows.push(
        Uint8Array.from({ length: columns * 3 }, (_, i) => {
          const { red, green, blue } = pixels.at(Math.floor(i / 3) * step);
          return [red, green, blue][i % 3];
        }),
      );
  return png(columns, rows);
}
