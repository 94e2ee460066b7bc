import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import { ProcessMember } from "./helpers/process-member.js";
import { elsewhere, testPipe } from "./helpers/process-pipes.js";

describe("process", () => {
  test("resolving acknowledges, throwing gives back, closing ends", async (t) => {
    const pipe = await testPipe<number>(t);
    const theirs = await elsewhere(t, pipe);
    for (let number = 0; number < 20; number++) await pipe.send(number);
    await pipe.close();
    const seen = new Map<number, number>();
    const done = await theirs.process(async (number, lease) => {
      seen.set(number, lease.deliveries);
      if (number % 3 === 0 && lease.deliveries === 1) throw new Error("not now");
      await turn();
      if (number % 5 === 0 && lease.deliveries < 3) return Promise.reject(new Error("later"));
    });
    assert.equal(done, 20);
    for (let number = 0; number < 20; number++)
      assert.equal(seen.get(number), number % 5 === 0 ? 3 : number % 3 === 0 ? 2 : 1, `${number}`);
    const { depth, leased, redelivered } = pipe.statistics();
    assert.deepEqual({ depth, leased, redelivered }, { depth: 0, leased: 0, redelivered: 4 * 2 + 5 });
  });

  test("as many at a time as concurrency says, one without it", async (t) => {
    const warnings: string[] = [];
    const note = (warning: Error): void => void warnings.push(warning.name);
    process.on("warning", note);
    for (const concurrency of [undefined, 1, 4, 20]) {
      const pipe = await testPipe<number>(t);
      for (let number = 0; number < 40; number++) await pipe.send(number);
      await pipe.close();
      let now = 0;
      let most = 0;
      const work = async (): Promise<void> => {
        most = Math.max(most, ++now);
        await sleep(1);
        now--;
      };
      assert.equal(await pipe.process(work, concurrency === undefined ? {} : { concurrency }), 40);
      assert.equal(most, concurrency ?? 1);
    }
    process.off("warning", note);
    assert.deepEqual(warnings, [], "as many waits as it was told to have are no leak");
  });

  test("the signal ends it after running work", async (t) => {
    const pipe = await testPipe<number>(t);
    for (let number = 0; number < 10; number++) await pipe.send(number);
    const controller = new AbortController();
    const finished: number[] = [];
    const done = await pipe.process(
      async (number) => {
        if (number === 3) controller.abort();
        await sleep(5);
        finished.push(number);
      },
      { signal: controller.signal, concurrency: 2 },
    );
    assert.equal(done, finished.length);
    assert.ok(finished.includes(3));
    assert.deepEqual([pipe.statistics().leased, pipe.statistics().depth], [0, 10 - done]);
    assert.equal(await pipe.process(() => assert.fail("already aborted"), { signal: controller.signal }), 0);

    const empty = await testPipe<number>(t);
    const waiting = new AbortController();
    const none = empty.process(() => undefined, { signal: waiting.signal, concurrency: 3 });
    await turn();
    waiting.abort();
    assert.equal(await none, 0);
  });

  test("a message that always fails keeps no other work of the event loop from running", async (t) => {
    const pipe = await testPipe<string>(t);
    await pipe.send("poison");
    let attempts = 0;
    const controller = new AbortController();
    const timer = setInterval(() => {
      if (attempts > 1) controller.abort();
    }, 1);
    const working = pipe.process(
      () => {
        attempts++;
        throw new Error("always");
      },
      { signal: controller.signal },
    );
    assert.equal(await working, 0);
    clearInterval(timer);
    assert.equal(await pipe.receive(), "poison");
  });

  test("nor does a pipe that is never empty, in any loop over it", async (t) => {
    const pipe = await testPipe<number>(t, { capacity: 100 });
    const worker = await ProcessMember.startWorker({ region: pipe.address.split("/")[0] });
    const sending = worker.run(async ({ region }) => {
      const theirs = await region.pipes.open("p");
      for (let number = 0; ; number++) {
        try {
          theirs.sendSync(number);
        } catch (error) {
          return (error as { code: string }).code;
        }
      }
    });
    let fired = 0;
    const timer = setInterval(() => fired++, 1);
    let received = 0;
    for await (const _ of pipe) if (++received > 1000 && fired > 2) break;
    clearInterval(timer);
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 20);
    await pipe.process(() => undefined, { signal: controller.signal });
    await pipe.close();
    assert.equal(await sending, "ERR_CLOSED");
    await worker.finish();
  });

  test("work may settle its lease itself", async (t) => {
    const pipe = await testPipe<number>(t);
    for (const number of [0, 1]) await pipe.send(number);
    await pipe.close();
    const done = await pipe.process((number, lease) => {
      if (number === 0 || lease.deliveries > 1) lease.ack();
      else lease.nack();
    });
    assert.ok(done <= 2);
    assert.equal(pipe.statistics().leased, 0);
  });

  test("several members share the work, each message once", async (t) => {
    const pipe = await testPipe<number>(t, { capacity: 500 });
    const handles = [pipe, await elsewhere(t, pipe), await elsewhere(t, pipe)];
    const seen: number[] = [];
    const working = handles.map((handle) =>
      handle.process(
        async (number) => {
          await turn();
          seen.push(number);
        },
        { concurrency: 3 },
      ),
    );
    for (let number = 0; number < 500; number++) await pipe.send(number);
    await pipe.drain();
    await pipe.close();
    assert.equal(
      (await Promise.all(working)).reduce((sum, done) => sum + done),
      500,
    );
    assert.deepEqual(
      seen.sort((a, b) => a - b),
      Array.from({ length: 500 }, (_, at) => at),
    );
  });
});
