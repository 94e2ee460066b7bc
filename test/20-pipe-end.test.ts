import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import { Region, type Pipe } from "shmkit";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember } from "./helpers/process-member.js";
import { CLOSED, elsewhere, testPipe } from "./helpers/process-pipes.js";
import { SMALL, testRegion } from "./helpers/process-regions.js";

describe("the end of a pipe", () => {
  test("iterations end after what was sent has been received", async (t) => {
    const pipe = await testPipe<number>(t);
    const theirs = await elsewhere(t, pipe);
    const received: number[] = [];
    const reading = (async () => {
      for await (const number of pipe) received.push(number);
    })();
    for (let number = 0; number < 10; number++) await theirs.send(number);
    await theirs.close();
    await reading;
    assert.deepEqual(
      received,
      Array.from({ length: 10 }, (_, at) => at),
    );
    for await (const number of theirs) assert.fail(`${number}`);
  });

  test("two iterations share the messages; leaving one early loses none", async (t) => {
    const pipe = await testPipe<number>(t);
    const theirs = await elsewhere(t, pipe);
    for (let number = 0; number < 100; number++) await pipe.send(number);
    const received: number[] = [];
    for await (const number of theirs) if (received.push(number) === 5) break;
    await pipe.close();
    const read = async (from: Pipe<number>): Promise<void> => {
      for await (const number of from) received.push(number);
    };
    await Promise.all([read(pipe), read(theirs), read(pipe)]);
    assert.deepEqual(
      received.sort((a, b) => a - b),
      Array.from({ length: 100 }, (_, at) => at),
    );
  });

  test("is told at once, also when somebody died who could have had something to give back", async (t) => {
    const region = await testRegion(t, "pipe");
    const pipe = await region.pipe("p");
    const member = await ProcessMember.start({ region: region.name });
    await member.run(async ({ region: own }) => void (await own.pipe("p")));
    await member.kill();
    while (region.members().length > 1) {
      region.recoverTheDead();
      await sleep(1);
    }
    await pipe.close();
    assert.throws(() => pipe.tryReceive(), CLOSED);
  });

  test("an iteration throws when the region closes under it", async () => {
    const region = await Region.create(uniqueRegionName(), SMALL);
    const pipe = await region.pipe("p");
    const reading = (async () => {
      for await (const message of pipe) assert.fail(String(message));
    })();
    const rejected = assert.rejects(reading, CLOSED);
    await turn();
    await region.close();
    await rejected;
  });

  test("who waits to send is told, who waits to receive as well, in every member", async (t) => {
    const full = await testPipe<number>(t, { capacity: 1 });
    const theirs = await elsewhere(t, full);
    await full.send(0);
    const sends = [theirs.send(1), theirs.send(2)].map((wait) =>
      assert.rejects(wait, { ...CLOSED, message: /nothing more can be sent/ }),
    );
    await turn();
    await full.close();
    await full.close();
    theirs.closeSync();
    await Promise.all(sends);
    assert.ok(theirs.isClosed);
    assert.equal(await theirs.receive(), 0);
    await assert.rejects(theirs.receive(), { ...CLOSED, message: /everything in it has been received/ });

    const empty = await testPipe<number>(t);
    const others = await elsewhere(t, empty);
    const receives = [others.receive(), others.receive({ lease: true }), empty.receiveInto(new Uint8Array(1))].map(
      (wait) => assert.rejects(wait, CLOSED),
    );
    await turn();
    await empty.close();
    await Promise.all(receives);
    assert.throws(() => others.receiveSync(), CLOSED);
    await assert.rejects(others.send(1), CLOSED);
  });

  test("what is out on lease may come back: receivers wait for it", async (t) => {
    const pipe = await testPipe<number>(t);
    const theirs = await elsewhere(t, pipe);
    await pipe.send(1);
    await pipe.send(2);
    const [first, second] = [await pipe.receive({ lease: true }), await pipe.receive({ lease: true })];
    await pipe.close();
    const waiting = [theirs.receive(), theirs.receive()];
    const ended = assert.rejects(waiting[1], CLOSED);
    await turn();
    first.ack();
    second.nack();
    assert.equal(await waiting[0], 2);
    await ended;
  });
});

describe("drain", () => {
  test("resolves when everything has been received and acknowledged", async (t) => {
    const pipe = await testPipe<number>(t);
    const theirs = await elsewhere(t, pipe);
    await pipe.drain();
    await pipe.send(1);
    await pipe.send(2);
    let drained = 0;
    const waits = [pipe, theirs, pipe].map((handle) => handle.drain().then(() => drained++));
    assert.equal(await theirs.receive(), 1);
    const lease = await theirs.receive({ lease: true });
    await sleep(5);
    assert.equal(drained, 0, "one is out on lease");
    lease.nack();
    await sleep(5);
    assert.equal(drained, 0, "it has come back");
    (await pipe.receive({ lease: true })).ack();
    await Promise.all(waits);
    assert.equal(drained, 3);
  });

  test("goes on with a closed pipe, ends with the region", async (t) => {
    const pipe = await testPipe<number>(t);
    const theirs = await elsewhere(t, pipe);
    await pipe.send(1);
    await pipe.close();
    const waiting = theirs.drain();
    assert.equal(await pipe.receive(), 1);
    await waiting;
    await theirs.drain();
  });
});
