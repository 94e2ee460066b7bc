import assert from "node:assert/strict";
import { createReadStream, openSync, closeSync, write, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { deflate, inflateSync } from "node:zlib";
import { open } from "shmkit";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember } from "./helpers/process-member.js";
import { testRegion } from "./helpers/process-regions.js";

describe("raw views after the end", () => {
  test("stay usable and read zeroes; the region of the others is untouched", async (t) => {
    const region = await testRegion(t, "views");
    const other = await open(region.name);
    const bytes = new Uint8Array(other.buffer);
    const words = new Int32Array(other.buffer, 0, 1024);
    assert.equal(bytes[0], 0x53, "the magic number's first byte");
    await other.close();
    assert.equal(bytes.length, other.buffer.byteLength);
    assert.ok(words.every((word) => word === 0));
    bytes.fill(0xff, 0, 65536);
    assert.equal(words[0], -1);
    assert.equal(new Uint8Array(other.buffer)[1], 0xff);
    assert.equal(region.members().length, 1);
    await (await region.pipe("p")).send("x");
  });

  test("while zlib and fs read them on pool threads", async () => {
    const compress = promisify(deflate);
    const path = join(tmpdir(), `${uniqueRegionName("views")}.bin`);
    const file = openSync(path, "w");
    const writeAll = (bytes: Uint8Array): Promise<number> =>
      new Promise((resolve, reject) =>
        write(file, bytes, 0, bytes.length, 0, (error, count) => (error ? reject(error) : resolve(count))),
      );
    try {
      for (let round = 0; round < 12; round++) {
        const region = await open(uniqueRegionName("pool"), { size: "2MiB", maxSize: "4MiB" });
        const view = new Uint8Array(region.buffer, 0, 2 * 2 ** 20);
        for (let at = 2 ** 20; at < view.length; at += 7) view[at] = at;
        const work = [
          compress(view, { level: 9 }),
          writeAll(view),
          compress(view.subarray(4096)),
          writeAll(view),
        ] as const;
        await sleep(round % 4);
        region.closeSync();
        const [deflated, written, part] = await Promise.all(work);
        assert.equal(inflateSync(deflated).length, view.length);
        assert.equal(inflateSync(part).length, view.length - 4096);
        assert.equal(written, view.length);
        assert.ok(view.every((byte) => byte === 0));
      }
      let length = 0;
      for await (const chunk of createReadStream(path)) length += (chunk as Buffer).length;
      assert.equal(length, 2 * 2 ** 20);
    } finally {
      closeSync(file);
      rmSync(path);
    }
  });

  test("when the region object is garbage and only the view is left", async () => {
    const member = await ProcessMember.start({ environment: { NODE_OPTIONS: "--expose-gc" } });
    const sum = await member.run(async ({ shmkit, sleep: pause }, name) => {
      const region = await shmkit.open(name, { size: "256KiB", maxSize: "1MiB" });
      const view = new Uint8Array(region.buffer, 0, 4096);
      await region.close();
      for (let round = 0; round < 5; round++) {
        (globalThis as unknown as { gc: () => void }).gc();
        await pause(1);
      }
      return view.reduce((total, byte) => total + byte, 0);
    }, uniqueRegionName("garbage"));
    assert.equal(sum, 0);
    assert.equal((await member.finish()).code, 0);
  });
});
