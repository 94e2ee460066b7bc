/** Values and bytes through a pipe from one member to another, which may be of another runtime. */
import assert from "node:assert/strict";
import type { ProcessMember } from "../helpers/driven-member.js";

const BYTES = [0, 1, 127, 4096, 1_000_000];

/** Sends every sample from one to the other; each is compared where it arrives. */
export async function exchangeValues(from: ProcessMember, to: ProcessMember, name: string): Promise<void> {
  const receiving = to.run(async ({ region, load }, pipeName) => {
    const { sampleValues, wrongValues } = (await load("../matrix/samples.js")) as typeof import("./samples.js");
    const pipe = await region.pipe(pipeName, { capacity: 4 });
    const arrived: unknown[] = [];
    while (arrived.length < sampleValues().length) arrived.push(await pipe.receive());
    return wrongValues(arrived);
  }, name);
  await from.run(async ({ region, load }, pipeName) => {
    const { sampleValues } = (await load("../matrix/samples.js")) as typeof import("./samples.js");
    const pipe = await region.pipe(pipeName, { capacity: 4 });
    for (const value of sampleValues()) await pipe.send(value);
  }, name);
  assert.deepEqual(await receiving, [], "samples that arrived changed");
}

/** Sends bytes, by Sync calls, from one to the other, which receives into memory of its own. */
export async function exchangeBytes(from: ProcessMember, to: ProcessMember, name: string): Promise<void> {
  const receiving = to.run(
    async ({ region, load }, { pipeName, lengths }) => {
      const { sampleBytes } = (await load("../matrix/samples.js")) as typeof import("./samples.js");
      const { isDeepStrictEqual } = (await load("node:util")) as typeof import("node:util");
      const pipe = await region.pipe(pipeName, { capacity: 2 });
      const target = new Uint8Array(1_000_000);
      const wrong: number[] = [];
      for (const length of lengths) {
        const arrived = await pipe.receiveInto(target);
        if (arrived !== length || !isDeepStrictEqual(target.slice(0, length), sampleBytes(length))) wrong.push(length);
      }
      return wrong;
    },
    { pipeName: name, lengths: BYTES },
  );
  await from.run(
    async ({ region, load }, { pipeName, lengths }) => {
      const { sampleBytes } = (await load("../matrix/samples.js")) as typeof import("./samples.js");
      const pipe = await region.pipe(pipeName, { capacity: 2 });
      for (const length of lengths) pipe.sendBytesSync(sampleBytes(length));
    },
    { pipeName: name, lengths: BYTES },
  );
  assert.deepEqual(await receiving, [], "lengths of what arrived changed");
}
