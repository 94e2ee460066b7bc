import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Region } from "shmkit";
import { native } from "#src/native/addon.js";
import { ProcessMember } from "./helpers/process-member.js";
import { joinRegion, testRegion } from "./helpers/process-regions.js";

describe("growth", () => {
  test("while somebody looks at the file: whoever joins or inspects sees a whole region", async (t) => {
    const region = await testRegion(t, "growing", { size: "256KiB", maxSize: "8MiB" });
    const pipe = await region.pipe("p", { capacity: 8 });
    const stat = native.stat.bind(native);
    t.after(() => Object.assign(native, { stat }));
    let grown = 0;
    // Between any look at the file's length and the next step of whoever looks.
    const growing: typeof stat = (...args) => {
      const result = stat(...args);
      if (pipe.trySend(new Uint8Array(600_000))) grown++;
      return result;
    };
    Object.assign(native, { stat: growing });
    Region.inspect(region.name);
    const other = Region.openSync(region.name);
    other.closeSync();
    assert.ok(grown >= 2);
  });

  test("while somebody looks from outside, who looks again as far as it reaches then", async (t) => {
    const region = await testRegion(t, "grows");
    const before = Region.inspect(region.name)!;
    const map = native.map.bind(native);
    t.after(() => Object.assign(native, { map }));
    const lengths: number[] = [];
    Object.assign(native, {
      map: (descriptor: number, lengthBytes: number, writable: boolean, shared: boolean, keepsFile: boolean) => {
        const mapping = map(descriptor, lengthBytes, writable, shared, keepsFile);
        // The header has been read, and the view is as long as that says.
        if (lengths.push(lengthBytes) === 2)
          for (let i = 0; region.sizeBytes <= before.sizeBytes; i++)
            region.pipes.createSync(`pipe ${i}`, { capacity: 1000 });
        return mapping;
      },
    });
    const after = Region.inspect(region.name)!;
    assert.deepEqual(
      after.objects.map(({ name }) => name),
      region.pipes.list(),
    );
    assert.equal(after.sizeBytes, region.sizeBytes);
    assert.ok(after.sizeBytes > before.sizeBytes);
    assert.equal(lengths.length, 4, "the header and the rest, twice");
    assert.ok(lengths[3] > lengths[1] && lengths[3] < after.maxSizeBytes);
  });

  test("for a large object goes in steps, with nothing locked in between, and memory that was given back is backed likewise", async (t) => {
    const region = await testRegion(t, "large", { size: "256KiB", maxSize: "40MiB" });
    const other = await joinRegion(t, region.name);
    const options = { segments: 4, segmentBytes: "5MiB" } as const;
    for (const which of ["fresh", "given back"]) {
      let isMade = false;
      const making = [region.segmentPool("large", options)];
      void making[0].then(() => (isMade = true));
      await nextTurn();
      other.counterSync(which, { timeoutMs: 0 });
      assert.equal(isMade, false, which);
      making.push(other.segmentPool("large", options));
      const [pool, same] = await Promise.all(making);
      assert.equal(same.statistics().free, 4);
      const segments = [pool.acquireSync(), same.acquireSync()];
      for (const { bytes } of segments) bytes.fill(7);
      segments[0].release();
      assert.ok(region.sizeBytes < 32 * 2 ** 20, `${region.sizeBytes} bytes: one of the two has made room, and once`);
      await region.segmentPools.remove("large");
      pool.detach();
      same.detach();
    }
    const size = region.sizeBytes;
    assert.throws(() => region.segmentPools.createSync("larger", { segments: 9, segmentBytes: "5MiB" }), {
      code: "ERR_REGION_FULL",
    });
    assert.equal(region.sizeBytes, size);
    const blocking = region.segmentPools.createSync("blocking", { segments: 7, segmentBytes: "5MiB", timeoutMs: 0 });
    assert.equal(blocking.statistics().free, 7);
    const aborted = region.segmentPools.create("aborted", { signal: AbortSignal.abort(new Error("enough")) });
    await assert.rejects(aborted, /enough/);
  });

  test("happens by itself up to maxSize, is seen by everybody at once, and then senders wait", async (t) => {
    const region = await testRegion(t, "growing", { size: "512KiB", maxSize: "4MiB", maxMembers: 4 });
    const member = await ProcessMember.start({ region: region.name });
    const pipe = await region.pipe<Uint8Array>("p", { capacity: 1000 });
    const sizes = new Set<number>();
    let sent = 0;
    while (pipe.trySend(new Uint8Array(50_000).fill(sent))) {
      sent++;
      sizes.add(region.sizeBytes);
      assert.equal(Region.inspect(region.name)!.sizeBytes, region.sizeBytes);
    }
    assert.equal(region.sizeBytes, region.maxSizeBytes);
    assert.ok(sizes.size > 2, "in steps");
    await assert.rejects(pipe.send(new Uint8Array(50_000), { timeoutMs: 10 }), { code: "ERR_TIMEOUT" });
    const waiting = pipe.send(new Uint8Array(50_000).fill(sent));
    const received = member.run(async ({ region: own }, count) => {
      const theirs = await own.pipes.open("p");
      for (let number = 0; number < count; number++) {
        const bytes = (await theirs.receive()) as Uint8Array;
        if (bytes.length !== 50_000 || bytes.some((byte) => byte !== (number & 0xff))) return `message ${number}`;
      }
      return own.sizeBytes;
    }, sent + 1);
    await waiting;
    assert.equal(await received, region.maxSizeBytes);
    assert.equal(region.sizeBytes, region.maxSizeBytes, "it never shrinks");
    await member.finish();
  });

  test("can be asked for", async (t) => {
    const region = await testRegion(t, "growing", { size: "256KiB", maxSize: "2MiB" });
    const other = await joinRegion(t, region.name);
    await region.grow("512KiB");
    assert.deepEqual([region.sizeBytes, other.sizeBytes], [524_288, 524_288]);
    await other.grow(4096);
    await region.grow(524_289);
    assert.equal(other.sizeBytes, 528_384, "whole pages");
    await Promise.all([region.grow("1MiB"), other.grow("2MiB"), region.grow("600KiB")]);
    assert.equal(region.sizeBytes, region.maxSizeBytes);
    assert.equal(statSync(region.path).blocks * 512 >= 2 * 2 ** 20, true, "backed");
    for (const size of [region.maxSizeBytes + 1, "3MiB", Number.MAX_SAFE_INTEGER])
      await assert.rejects(region.grow(size), { code: "ERR_REGION_FULL", expected: region.maxSizeBytes });
    await assert.rejects(region.grow("1MiB", { signal: AbortSignal.abort("no") }), (reason) => reason === "no");
  });

  test("a maxSize that is no multiple of anything", async (t) => {
    for (const maxSize of [4096, 4097, 300_000, 1_000_003]) {
      const region = await testRegion(t, "odd", { size: 4096, maxSize, maxMembers: 1 });
      assert.equal(region.maxSizeBytes, Math.ceil(maxSize / 4096) * 4096);
      await region.grow(region.maxSizeBytes);
      new Uint8Array(region.buffer)[region.buffer.byteLength - 1] = 1;
      assert.equal(region.sizeBytes, region.maxSizeBytes);
    }
  });
});
