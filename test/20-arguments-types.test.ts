import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Region, ShmkitError, type MutexGuard } from "shmkit";
import { makeThings, WITH_OPTIONS, type Things } from "./helpers/argument-calls.js";
import { loose } from "./helpers/argument-failures.js";
import { testRegion } from "./helpers/process-regions.js";

describe("wrong types everywhere", () => {
  const JUNK: readonly unknown[] = [
    undefined,
    null,
    0,
    -1,
    NaN,
    1.5,
    Infinity,
    "",
    "x",
    "a/b",
    true,
    5n,
    Symbol("s"),
    () => 1,
    [],
    {},
    new Date(0),
    new Map(),
    Object.create(null),
    new Uint8Array(3),
    new Uint8Array(0),
    new ArrayBuffer(8),
    new DataView(new ArrayBuffer(8)),
    new Error("x"),
    Promise.resolve(1),
    new Proxy({}, {}),
    new WeakMap(),
    globalThis.Symbol.iterator,
    BigInt.asIntN(64, -1n),
    -0,
  ];

  /** Calls with junk in each place; waiting calls get no time. */
  function calls(things: Things, guard: MutexGuard): Record<string, (junk: unknown) => unknown> {
    const { region, pipe, counter } = things;
    const now = { timeoutMs: 0 };
    const made: Record<string, (junk: unknown) => unknown> = {
      "grow to": (junk) => loose(region, "grow")(junk),
      send: (junk) => loose(pipe, "send")(junk, now),
      trySend: (junk) => loose(pipe, "trySend")(junk),
      sendSync: (junk) => loose(pipe, "sendSync")(junk, now),
      sendBytesSync: (junk) => loose(pipe, "sendBytesSync")(junk, now),
      "sendBytesSync alone": (junk) => loose(pipe, "sendBytesSync")(junk),
      receiveInto: (junk) => loose(pipe, "receiveInto")(junk, now),
      receiveIntoSync: (junk) => loose(pipe, "receiveIntoSync")(junk, now),
      "receiveIntoSync alone": (junk) => {
        pipe.trySend(1);
        return loose(pipe, "receiveIntoSync")(junk);
      },
      "guard.get": (junk) => loose(guard, "get")(junk),
      "guard.set at": (junk) => loose(guard, "set")(junk, 1),
      "guard.set to": (junk) => loose(guard, "set")(0, junk),
      inspect: (junk) => loose(Region, "inspect")(junk),
      process: (junk) => (typeof junk === "function" ? undefined : loose(pipe, "process")(junk)),
    };
    for (const verb of ["add", "addSync", "set", "setSync"]) made[verb] = (junk) => loose(counter, verb)(junk, now);
    for (const verb of ["waitFor", "waitForSync"]) made[verb] = (junk) => loose(counter, verb)(junk, now);
    for (const [label, { call }] of Object.entries(WITH_OPTIONS)) {
      // An empty object is no junk to these: they would wait, or make something.
      const waits = /^(process|open|lock|event of|barrier of|latch of|condition\.|Region\.(create|open).*)/;
      made[`options of ${label}`] = (junk) =>
        waits.test(label) &&
        (typeof junk !== "object" || junk === null || Object.keys(junk).length > 0 || Array.isArray(junk)) &&
        junk !== undefined
          ? call(things, junk)
          : undefined;
    }
    return made;
  }

  test("every call answers a value or a typed error, promises reject, and all goes on", async (t) => {
    const region = await testRegion(t, "junk");
    const things = await makeThings(region);
    const guard = await (await region.mutex("held")).lock();
    let typed = 0;
    for (const [label, call] of Object.entries(calls(things, guard))) {
      const isSync = /Sync|guard|try|inspect/.test(label);
      for (const junk of JUNK) {
        let promised = false;
        try {
          const answer = call(junk);
          promised = answer instanceof Promise;
          const value: unknown = await answer;
          if (value instanceof Region) await value.close();
        } catch (error) {
          assert.ok(error instanceof ShmkitError, `${label}: no typed error but ${String(error)}`);
          assert.ok(promised || isSync, `${label} throws instead of rejecting`);
          typed++;
        }
        while (things.pipe.tryReceive() !== undefined);
      }
    }
    assert.ok(typed > 300, `${typed} were refused`);
    guard.release();
    await things.pipe.send("still working");
    assert.equal(await things.pipe.receive(), "still working");
    assert.equal(region.members().length, 1);
  });
});
