import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Region, open } from "shmkit";
import { makeThings, WITH_OPTIONS, type Things } from "./helpers/argument-calls.js";
import { failsWith, loose } from "./helpers/argument-failures.js";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { SMALL } from "./helpers/process-regions.js";

describe("options", () => {
  let things: Things;
  before(async () => {
    things = await makeThings(await Region.create(uniqueRegionName("options"), SMALL));
  });
  after(() => things.region.close());

  /** Everything that a call might have changed although it failed. */
  const state = (): unknown => {
    const { region, pipe, counter, mutex } = things;
    const { sent, received, closed } = pipe.statistics();
    return [
      sent,
      received,
      closed,
      counter.value,
      mutex.ownerSlot,
      region.sizeBytes,
      region.members().length,
      region.pipes.list().length,
    ];
  };

  for (const [label, { call, misspelt, meant }] of Object.entries(WITH_OPTIONS)) {
    test(`${label} knows its options`, async () => {
      // Something to receive, so that a call which did not look at its options would succeed.
      things.pipe.trySend("waiting");
      const untouched = state();
      const error = await failsWith(() => call(things, { [misspelt]: 1 }), "ERR_UNKNOWN_OPTION");
      assert.match(error.message, new RegExp(`"${misspelt}"; did you mean "${meant}"\\?`));
      assert.ok((error.expected as string[]).includes(meant));
      assert.match(
        (await failsWith(() => call(things, { quiteElse: 1 }), "ERR_UNKNOWN_OPTION")).message,
        new RegExp(`known: .*${meant}`),
      );
      for (const options of [null, 5, "x", true, [], () => 1, 5n, Symbol("s")])
        await failsWith(() => call(things, options), "ERR_INVALID_ARGUMENT");
      assert.deepEqual(state(), untouched);
    });

    if (label === "tryReceive" || label === "Region.clean") continue;
    if (label === "process") {
      test(`${label} checks its signal`, async () => {
        for (const signal of [null, {}, "abort", new EventTarget(), new AbortController()])
          await failsWith(() => call(things, { signal }), "ERR_INVALID_ARGUMENT");
      });
      continue;
    }
    test(`${label} checks its deadline before it does anything`, async () => {
      const untouched = state();
      for (const timeoutMs of [NaN, -1, -Infinity])
        await failsWith(() => call(things, { timeoutMs }), "ERR_OUT_OF_RANGE", RangeError);
      for (const timeoutMs of ["5", null, 5n, {}, true, new Date()])
        await failsWith(() => call(things, { timeoutMs }), "ERR_INVALID_ARGUMENT");
      assert.deepEqual(state(), untouched);
    });

    test(`${label} checks its signal before it does anything`, async () => {
      const untouched = state();
      for (const signal of [null, {}, "abort", new EventTarget(), new AbortController()])
        await failsWith(() => call(things, { signal }), "ERR_INVALID_ARGUMENT");
      const reason = new Error("on purpose");
      await assert.rejects(
        async () => call(things, { signal: AbortSignal.abort(reason) }),
        (thrown) => thrown === reason,
      );
      assert.deepEqual(state(), untouched);
    });
  }

  test("flags are true or false, not something like it", async () => {
    const { region, pipe } = things;
    const untouched = state();
    for (const value of [null, 0, 1, "", "yes", {}]) {
      for (const option of ["shared", "allowOtherUser", "wait"])
        await failsWith(() => loose(Region, "open")(region.name, { [option]: value }), "ERR_INVALID_ARGUMENT");
      await failsWith(() => loose(Region, "clean")({ kernel: value }), "ERR_INVALID_ARGUMENT");
      await failsWith(() => loose(region.pipes, "open")("pipe", { wait: value }), "ERR_INVALID_ARGUMENT");
      for (const verb of ["receive", "receiveSync", "tryReceive"])
        await failsWith(() => loose(pipe, verb)({ lease: value }), "ERR_INVALID_ARGUMENT");
    }
    assert.deepEqual(state(), untouched);
  });

  test("lifetimes and labels", async () => {
    const name = uniqueRegionName();
    for (const lifetime of ["file", "", "Process", 1, null, {}])
      await failsWith(() => loose(Region, "create")(name, { lifetime }), "ERR_INVALID_ARGUMENT");
    for (const label of [5, null, {}, true, Symbol("s")])
      await failsWith(() => loose(Region, "create")(name, { label }), "ERR_INVALID_ARGUMENT");
    await failsWith(() => open(name, { label: "日".repeat(22) }), "ERR_OUT_OF_RANGE", RangeError);
    const region = await open(name, { ...SMALL, label: "日".repeat(21) });
    assert.equal(region.members()[0].label, "日".repeat(21));
    await region.close();
  });

  test("undefined means absent, and inherited options count like own ones", async () => {
    const { region, pipe } = things;
    const handle = await Region.open(region.name, {
      wait: undefined,
      timeoutMs: undefined,
      signal: undefined,
    } as object);
    await handle.close();
    await pipe.send("x", { timeoutMs: undefined, signal: undefined } as object);
    while (pipe.tryReceive() !== undefined);
    await assert.rejects(pipe.receive(Object.create({ timeoutMs: 0 }) as object), { code: "ERR_TIMEOUT" });
  });

  test("an error that an option's getter throws comes through, and nothing was done", async () => {
    const untouched = state();
    const mine = new Error("mine");
    const options = {
      get timeoutMs(): number {
        throw mine;
      },
    };
    await assert.rejects(things.pipe.send(1, options), (thrown) => thrown === mine);
    assert.throws(
      () => things.counter.addSync(1, options),
      (thrown) => thrown === mine,
    );
    assert.deepEqual(state(), untouched);
  });
});
