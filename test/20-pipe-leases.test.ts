import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Lease } from "shmkit";
import { elsewhere, takeAll, testPipe, TIMEOUT } from "./helpers/process-pipes.js";
import { Random } from "./helpers/process-random.js";
import { testRegion } from "./helpers/process-regions.js";

describe("leases", () => {
  test("ack ends a message, nack puts it back in its place", async (t) => {
    const pipe = await testPipe<string>(t);
    const theirs = await elsewhere(t, pipe);
    for (const text of ["a", "b", "c", "d"]) await pipe.send(text);
    const leases: Lease<string>[] = [];
    for (let at = 0; at < 3; at++) leases.push(await theirs.receive({ lease: true }));
    assert.deepEqual(
      leases.map(({ value, sequence, deliveries }) => [value, sequence, deliveries]),
      [
        ["a", 0, 1],
        ["b", 1, 1],
        ["c", 2, 1],
      ],
    );
    leases[2].nack();
    leases[0].nack();
    leases[1].ack();
    const again = await pipe.receive({ lease: true });
    assert.deepEqual([again.value, again.sequence, again.deliveries], ["a", 0, 2]);
    again.nack();
    assert.deepEqual(takeAll(pipe), ["a", "c", "d"]);
    const { redelivered, received, leased, depth } = pipe.statistics();
    assert.deepEqual({ redelivered, received, leased, depth }, { redelivered: 3, received: 4, leased: 0, depth: 0 });
  });

  test("a lease is settled once", async (t) => {
    const pipe = await testPipe<number>(t);
    for (const [first, second] of [
      ["ack", "ack"],
      ["ack", "nack"],
      ["nack", "ack"],
      ["nack", "nack"],
    ] as const) {
      await pipe.send(1);
      const lease = await pipe.receive({ lease: true });
      lease[first]();
      assert.throws(() => lease[second](), { name: "ShmkitError", code: "ERR_NOT_HELD" });
      lease[Symbol.dispose]();
      assert.equal(takeAll(pipe).length, first === "ack" ? 0 : 1);
    }
    await pipe.send(2);
    (await pipe.receive({ lease: true }))[Symbol.dispose]();
    assert.equal(await pipe.receive(), 2);
  });

  test("no more at a time than maxLeased; who waits for one goes on with the next ack or nack", async (t) => {
    const pipe = await testPipe<number>(t, { maxLeased: 2 });
    const theirs = await elsewhere(t, pipe);
    for (let number = 0; number < 5; number++) await pipe.send(number);
    const [zero, one] = [await pipe.receive({ lease: true }), await theirs.receive({ lease: true })];
    assert.equal(pipe.tryReceive({ lease: true }), undefined);
    await assert.rejects(theirs.receive({ lease: true, timeoutMs: 10 }), TIMEOUT);
    assert.equal(await pipe.receive(), 2, "receiving without a lease goes on");
    const waiting = theirs.receive({ lease: true });
    zero.ack();
    const three = await waiting;
    assert.equal(three.value, 3);
    const back = pipe.receive({ lease: true });
    one.nack();
    assert.equal((await back).value, 1);
    three.ack();
    assert.equal((await theirs.receive({ lease: true })).value, 4);
  });

  test("of every size, and in a region without room for a copy", async (t) => {
    const region = await testRegion(t, "leases", { size: "512KiB", maxSize: "512KiB", maxMembers: 4 });
    const pipe = await region.pipe<Uint8Array>("p", { capacity: 16, maxLeased: 16 });
    const sizes = [0, 1, 100, 207, 208, 209, 503, 504, 505, 3000, 20_000];
    for (const [at, size] of sizes.entries()) await pipe.send(new Uint8Array(size).fill(at));
    for (let at = 0; ; at++)
      if (
        await region.mutex(`m${at}`).then(
          () => false,
          () => true,
        )
      )
        break;
    const leases: Lease<Uint8Array>[] = [];
    for (const _ of sizes) leases.push(await pipe.receive({ lease: true, timeoutMs: 0 }));
    for (const lease of leases.slice(0, 5)) lease.nack();
    for (const lease of leases.slice(5)) lease.ack();
    assert.deepEqual(
      takeAll(pipe).map((bytes) => bytes.length),
      sizes.slice(0, 5),
    );
    assert.deepEqual(
      leases.map(({ value }) => [value.length, value.every((byte) => byte === value[0])]),
      sizes.map((size) => [size, true]),
    );
  });

  test("behave as a model says, whatever the order", async (t) => {
    for (let seed = 1; seed <= 6; seed++) {
      const random = new Random(seed);
      const pipe = await testPipe<number[]>(t, { capacity: 5, maxLeased: 3 });
      const handles = [pipe, await elsewhere(t, pipe)];
      // The model: what waits, in the order of sending, and what is out.
      let waiting: number[] = [];
      let ring: number[] = [];
      let out: { lease: Lease<number[]>; number: number }[] = [];
      let next = 0;
      for (let step = 0; step < 800; step++) {
        const handle = random.of(handles);
        const what = random.below(6);
        if (what <= 1) {
          const message = [next, ...new Array<number>(random.of([0, 100, 3000])).fill(1)];
          assert.equal(handle.trySend(message), ring.length < 5);
          if (ring.length < 5) ring.push(next++);
        } else if (what === 2) {
          const expected = waiting[0] ?? ring[0];
          assert.equal(handle.tryReceive()?.[0], expected);
          if (waiting.length > 0) waiting = waiting.slice(1);
          else ring = ring.slice(1);
        } else if (what === 3) {
          const canTake = waiting.length > 0 || (ring.length > 0 && out.length + waiting.length < 3);
          const lease = handle.tryReceive({ lease: true });
          const expected = canTake ? (waiting[0] ?? ring[0]) : undefined;
          assert.equal(lease?.value[0], expected);
          if (lease === undefined) continue;
          if (waiting.length > 0) waiting = waiting.slice(1);
          else ring = ring.slice(1);
          out.push({ lease, number: lease.value[0] });
        } else if (out.length > 0) {
          const chosen = random.of(out);
          out = out.filter((item) => item !== chosen);
          if (what === 4) chosen.lease.ack();
          else {
            chosen.lease.nack();
            waiting = [...waiting, chosen.number].sort((a, b) => a - b);
          }
        }
        const { depth, leased } = handle.statistics();
        assert.deepEqual([depth, leased], [waiting.length + ring.length, out.length], `seed ${seed} step ${step}`);
      }
    }
  });
});
