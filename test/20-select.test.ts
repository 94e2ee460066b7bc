import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { describe, test, type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { select, selectSync, trySelect, type Lease, type Pipe, type Region } from "shmkit";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember, until } from "./helpers/process-member.js";
import { joinRegion, SMALL, testRegion } from "./helpers/process-regions.js";

const NAMES = ["a", "b", "c"] as const;

async function pipesOf(region: Region): Promise<Pipe<string>[]> {
  return Promise.all(NAMES.map((name) => region.pipe<string>(name)));
}

/** Three pipes as two members of this process have them. */
async function three(t: TestContext): Promise<{ mine: Pipe<string>[]; theirs: Pipe<string>[] }> {
  const region = await testRegion(t, "select");
  return { mine: await pipesOf(region), theirs: await pipesOf(await joinRegion(t, region.name)) };
}

const waiting = (pipes: readonly Pipe<string>[]): number[] => pipes.map((pipe) => pipe.statistics().waitingReceivers);
const depths = (pipes: readonly Pipe<string>[]): number[] => pipes.map((pipe) => pipe.statistics().depth);

const WAYS = {
  select: (pipes: readonly Pipe<string>[]) => select(pipes),
  trySelect: async (pipes: readonly Pipe<string>[]) => trySelect(pipes)!,
  selectSync: async (pipes: readonly Pipe<string>[]) => selectSync(pipes, { timeoutMs: 60_000 }),
};

for (const [name, way] of Object.entries(WAYS))
  describe(name, () => {
    test("takes one message, and says of which pipe", async (t) => {
      const { mine, theirs } = await three(t);
      await theirs[1].send("b1");
      await theirs[2].send("c1");
      const taken = await way(mine);
      assert.equal(taken.pipe, mine[taken.index]);
      assert.equal(taken.value, `${NAMES[taken.index]}1`);
      assert.deepEqual(
        depths(mine).reduce((sum, depth) => sum + depth),
        1,
      );
    });

    test("serves all that have messages alike, whatever else is selected in between", async (t) => {
      const { mine, theirs } = await three(t);
      for (let n = 0; n < 30; n++) for (const at of [0, 2]) await theirs[at].send(String(n));
      for (let n = 1; n <= 20; n++) {
        await way(mine);
        // Somebody else who selects in turns.
        await way([mine[2], mine[0]]);
        assert.deepEqual(depths(mine), [30 - n, 0, 30 - n]);
      }
    });

    test("passes over what is closed and empty, and ends when all are", async (t) => {
      const { mine, theirs } = await three(t);
      await theirs[0].close();
      await theirs[1].send("last");
      await theirs[1].close();
      assert.equal((await way(mine.slice(0, 2))).value, "last");
      await assert.rejects(async () => way(mine.slice(0, 2)), { code: "ERR_CLOSED", message: /all are closed/ });
    });

    test("says when a pipe cannot be used any more", async (t) => {
      const { mine, theirs } = await three(t);
      await theirs[0].close();
      mine[1].detach();
      await assert.rejects(async () => way(mine), { code: "ERR_CLOSED", message: /closed here/ });
    });

    test("refuses what makes no sense", async () => {
      const refused = { code: "ERR_INVALID_ARGUMENT" };
      await assert.rejects(async () => way([]), refused);
      await assert.rejects(async () => way(undefined as never), refused);
      await assert.rejects(async () => way([{}] as never), refused);
    });
  });

describe("a selection that waits", () => {
  test("is in every pipe's set, takes the first message and leaves the rest", async (t) => {
    const { mine, theirs } = await three(t);
    for (const at of [2, 0, 1]) {
      const selected = select(mine);
      await until(() => waiting(theirs).join() === "1,1,1");
      await theirs[at].send(`to ${at}`);
      const taken = await selected;
      assert.deepEqual({ index: taken.index, value: taken.value }, { index: at, value: `to ${at}` });
      assert.deepEqual(waiting(theirs), [0, 0, 0]);
    }
    for (const pipe of theirs) await pipe.send("stays");
    await turn();
    assert.deepEqual(depths(mine), [1, 1, 1]);
  });

  test("takes only one, although several come at a time", async (t) => {
    const { mine, theirs } = await three(t);
    for (let n = 0; n < 50; n++) {
      const selected = select(mine);
      for (const pipe of theirs) pipe.sendSync(String(n));
      const { value, index } = await selected;
      assert.equal(value, String(n));
      for (const at of [0, 1, 2]) if (at !== index) assert.equal(await mine[at].receive(), String(n));
      assert.deepEqual(depths(mine), [0, 0, 0]);
    }
  });

  test("stands behind the receives that were asked for before", async (t) => {
    const { mine, theirs } = await three(t);
    const before = mine[0].receive();
    const selected = select(mine);
    const after = mine[0].receive();
    for (const text of ["1", "2", "3"]) await theirs[0].send(text);
    assert.deepEqual([await before, (await selected).value, await after], ["1", "2", "3"]);
  });

  test("two selections of the same pipes share the messages", async (t) => {
    const { mine, theirs } = await three(t);
    const selections = [select(mine), select([...mine].reverse()), select([mine[1], mine[1]])];
    for (const text of ["1", "2", "3"]) await theirs[1].send(text);
    const values = (await Promise.all(selections)).map(({ value }) => value);
    assert.deepEqual(values, ["1", "2", "3"]);
  });

  test("spans regions", async (t) => {
    const one = await testRegion(t, "one");
    const two = await testRegion(t, "two");
    const pipes = [await one.pipe<string>("p"), await two.pipe<number>("p")] as const;
    const there = await (await joinRegion(t, two.name)).pipe<number>("p");
    const selected = select(pipes);
    await there.send(2);
    const taken = await selected;
    assert.ok(taken.index === 1 && taken.value.toFixed(1) === "2.0", "its type is known by its index");
    assert.throws(() => selectSync(pipes, { timeoutMs: 0 }), { code: "ERR_INVALID_ARGUMENT" });
  });

  test("times out and is aborted without having taken anything, and leaves nothing behind", async (t) => {
    const { mine, theirs } = await three(t);
    const timedOut = { name: "TimeoutError", code: "ERR_TIMEOUT", message: /a or .*b or .*c did not finish/ };
    await assert.rejects(select(mine, { timeoutMs: 20 }), timedOut);
    await assert.rejects(select(mine, { timeoutMs: 0 }), timedOut);
    assert.throws(() => selectSync(mine, { timeoutMs: 20 }), timedOut);
    const controller = new AbortController();
    const reason = new Error("enough");
    const aborted = assert.rejects(select(mine, { signal: controller.signal }), reason);
    await until(() => waiting(theirs).join() === "1,1,1");
    controller.abort(reason);
    await aborted;
    assert.deepEqual(waiting(theirs), [0, 0, 0]);
    await assert.rejects(select(mine, { signal: controller.signal }), reason);
    assert.throws(() => selectSync(mine, { signal: controller.signal }), reason);
    for (const pipe of theirs) await pipe.send("x");
    await turn();
    assert.deepEqual(depths(mine), [1, 1, 1]);
  });

  test("aborted at any moment, it has either told or left the message", async (t) => {
    const { mine, theirs } = await three(t);
    let told = 0;
    for (let moment = 0; moment < 24; moment++) {
      const controller = new AbortController();
      const selected = select(mine, { signal: controller.signal });
      await until(() => waiting(theirs).join() === "1,1,1");
      await theirs[moment % 3].send(String(moment));
      // A Sync call on the pipe serves those that wait before it.
      if (moment % 2 === 0)
        assert.throws(() => mine[moment % 3].receiveSync({ timeoutMs: 0 }), { code: "ERR_TIMEOUT" });
      for (let i = 0; i < moment / 2; i++) await Promise.resolve();
      controller.abort(new Error("enough"));
      const value = await selected.then(
        (taken) => taken.value,
        () => undefined,
      );
      if (value !== undefined) told++;
      assert.equal(value ?? (await mine[moment % 3].receive()), String(moment));
      assert.deepEqual(depths(mine), [0, 0, 0]);
    }
    assert.ok(told >= 12);
  });

  test("leaves no listeners on its signal", async (t) => {
    const { mine, theirs } = await three(t);
    const { signal } = new AbortController();
    for (let n = 0; n < 20; n++) {
      const selected = select(mine, { signal });
      await theirs[n % 3].send("x");
      await selected;
    }
    assert.equal(getEventListeners(signal, "abort").length, 0);
  });

  test("goes on when some of the pipes close, and ends when all have", async (t) => {
    const { mine, theirs } = await three(t);
    const selected = select(mine);
    const closed = assert.rejects(select(mine.slice(0, 2)), { code: "ERR_CLOSED" });
    await theirs[0].close();
    await theirs[1].close();
    await closed;
    await theirs[2].send("late");
    assert.equal((await selected).value, "late");
  });

  test("ends with the region, and with a handle", async (t) => {
    const region = await testRegion(t, "ends");
    const pipes = await pipesOf(region);
    const first = assert.rejects(select(pipes), { code: "ERR_CLOSED", message: /given up/ });
    pipes[1].detach();
    await first;
    const second = assert.rejects(select([pipes[0], pipes[2]]), { code: "ERR_CLOSED" });
    await region.close();
    await second;
  });

  test("takes leases", async (t) => {
    const { mine, theirs } = await three(t);
    const selected = select(mine, { lease: true });
    await theirs[1].send("x");
    const { value, index } = await selected;
    const lease: Lease<string> = value;
    assert.deepEqual([lease.value, index, theirs[1].statistics().leased], ["x", 1, 1]);
    lease.nack();
    const again = trySelect(mine, { lease: true });
    assert.equal(again?.value.deliveries, 2);
    again.value.nack();
    const third = selectSync(mine, { lease: true, timeoutMs: 0 });
    assert.equal(third.value.deliveries, 3);
    third.value.ack();
    assert.equal(trySelect(mine), undefined);
  });
});

/** A process that selects until all pipes are closed, and says what it got. */
async function startSelector(region: string, sync: boolean): Promise<ProcessMember> {
  const member = await ProcessMember.start({ region, options: SMALL });
  await member.run(
    async ({ region, shmkit, kept }, [names, sync]) => {
      const pipes = await Promise.all(names.map((name) => region.pipe<string>(name)));
      const go = async (): Promise<string[]> => {
        const got: string[] = [];
        for (;;) {
          try {
            const { index, value } = sync ? shmkit.selectSync(pipes) : await shmkit.select(pipes);
            got.push(`${names[index]}${value}`);
          } catch (error) {
            if ((error as { code?: string }).code === "ERR_CLOSED") return got;
            throw error;
          }
        }
      };
      kept.set("go", go);
    },
    [NAMES, sync] as const,
  );
  return member;
}

describe("selections in several processes", () => {
  for (const sync of [false, true])
    test(`share the messages of several senders, each to one (${sync ? "selectSync" : "select"})`, async (t) => {
      const name = uniqueRegionName("select");
      const selectors = await Promise.all([startSelector(name, sync), startSelector(name, sync)]);
      const pipes = await pipesOf(await joinRegion(t, name));
      const running = selectors.map((member) =>
        member.run(({ kept }) => (kept.get("go") as () => Promise<string[]>)()),
      );
      await until(() => waiting(pipes).join() === "2,2,2");
      const sent: string[] = [];
      for (let n = 0; n < 500; n++) {
        const at = (n * 7) % 3;
        sent.push(`${NAMES[at]}${n}`);
        await pipes[at].send(String(n));
        if (n % 50 === 0) await until(() => depths(pipes).join() === "0,0,0");
      }
      for (const pipe of pipes) await pipe.close();
      const got = (await Promise.all(running)).flat();
      assert.deepEqual(got.sort(), sent.sort());
    });

  test("one that is killed while it waits keeps no message from the others", async (t) => {
    const name = uniqueRegionName("select-killed");
    const victim = await startSelector(name, false);
    const pipes = await pipesOf(await joinRegion(t, name));
    void victim.run(({ kept }) => (kept.get("go") as () => Promise<string[]>)()).catch(() => undefined);
    await until(() => waiting(pipes).join() === "1,1,1");
    await victim.stop();
    const selected = select(pipes);
    for (const pipe of pipes) await pipe.send("x");
    await victim.kill();
    const got = [await selected, await select(pipes), await select(pipes)];
    assert.deepEqual(got.map(({ index }) => index).sort(), [0, 1, 2]);
  });
});
