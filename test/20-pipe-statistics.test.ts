import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Region } from "shmkit";
import { joinRegion, testRegion } from "./helpers/process-regions.js";

describe("statistics", () => {
  test("tell the truth, from inside and from outside", async (t) => {
    const region = await testRegion(t, "statistics");
    const pipe = await region.pipe<Uint8Array>("p", { capacity: 4, maxLeased: 3 });
    const theirs = await (await joinRegion(t, region.name)).pipe<Uint8Array>("p");
    const outside = (): unknown => Region.inspect(region.name)!.objects[0].pipe;
    const expected = {
      depth: 0,
      capacity: 4,
      sent: 0,
      received: 0,
      sentBytes: 0,
      receivedBytes: 0,
      redelivered: 0,
      leased: 0,
      highWater: 0,
      waitingSenders: 0,
      waitingReceivers: 0,
      closed: false,
    };
    const check = (changed: Partial<typeof expected>): void => {
      Object.assign(expected, changed);
      assert.deepEqual(pipe.statistics(), expected);
      assert.deepEqual(theirs.statistics(), expected);
      assert.deepEqual(outside(), expected);
    };
    check({});
    for (const size of [10, 0, 30_000]) await pipe.send(new Uint8Array(size));
    check({ depth: 3, sent: 3, sentBytes: 30_010, highWater: 3 });
    await theirs.receive();
    check({ depth: 2, received: 1, receivedBytes: 10 });
    const lease = await theirs.receive({ lease: true });
    check({ depth: 1, received: 2, leased: 1 });
    lease.nack();
    check({ depth: 2, leased: 0 });
    const again = await theirs.receive({ lease: true });
    check({ depth: 1, leased: 1, redelivered: 1 });
    again.ack();
    check({ leased: 0 });
    for (const size of [1, 2, 3]) await pipe.send(new Uint8Array(size));
    check({ depth: 4, sent: 6, sentBytes: 30_016, highWater: 4 });
    const waits = [pipe.send(new Uint8Array(4)), pipe.send(new Uint8Array(5)), theirs.send(new Uint8Array(6))];
    check({ waitingSenders: 2 });
    for (let at = 0; at < 7; at++) await theirs.receive();
    await Promise.all(waits);
    check({ depth: 0, sent: 9, received: 9, sentBytes: 30_031, receivedBytes: 30_031, waitingSenders: 0 });
    const receives = [pipe.receive(), theirs.receive()];
    check({ waitingReceivers: 2 });
    await pipe.close();
    await Promise.allSettled(receives);
    check({ waitingReceivers: 0, closed: true });
  });
});
