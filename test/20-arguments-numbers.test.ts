import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Region, open } from "shmkit";
import { failsWith, failureOf, loose } from "./helpers/argument-failures.js";
import { leftovers, uniqueRegionName } from "./helpers/leftovers.js";
import { testRegion } from "./helpers/process-regions.js";

describe("sizes", () => {
  const BAD: readonly unknown[] = [
    0,
    -1,
    -4096,
    NaN,
    0.5,
    4096.5,
    Infinity,
    -Infinity,
    2 ** 53,
    33 * 2 ** 30,
    "33GiB",
    "12 parsecs",
    "",
    " ",
    "MiB",
    "-5",
    "1e6",
    "0x10000",
    "64 Mi B",
    "64MiB!",
    "1.5",
    "NaN",
    "Infinity",
    null,
    true,
    {},
    [],
    [65536],
    65536n,
    Symbol("s"),
    () => 65536,
  ];

  for (const option of ["size", "maxSize"]) {
    test(`${option} of a region`, async () => {
      const name = uniqueRegionName("sizes");
      for (const value of BAD) {
        const error = await failsWith(
          () => loose(Region, "create")(name, { [option]: value }),
          "ERR_INVALID_SIZE",
          RangeError,
        );
        assert.equal(error.actual, value);
        assert.match(error.message, new RegExp(`^${option} must be a whole number of bytes`));
        await failsWith(() => loose(Region, "createSync")(name, { [option]: value }), "ERR_INVALID_SIZE", RangeError);
      }
      assert.deepEqual(leftovers(), []);
    });
  }

  test("growing to one", async (t) => {
    const region = await testRegion(t, "sizes");
    const limits = new Set<unknown>([33 * 2 ** 30, "33GiB"]);
    for (const value of BAD) {
      if (limits.has(value))
        await failureOf(() => loose(region, "grow")(value)).then((error) =>
          assert.equal(error.code, "ERR_REGION_FULL"),
        );
      else await failsWith(() => loose(region, "grow")(value), "ERR_INVALID_SIZE", RangeError);
    }
    assert.equal(region.sizeBytes, 256 * 1024);
  });

  test("size beyond maxSize", async () => {
    const error = await failsWith(
      () => open(uniqueRegionName(), { size: "2MiB", maxSize: "1MiB" }),
      "ERR_INVALID_SIZE",
      RangeError,
    );
    assert.deepEqual([error.actual, error.expected], [2 * 2 ** 20, 2 ** 20]);
  });

  test("numbers and texts that are sizes", async () => {
    for (const [size, bytes] of [
      [65536, 65536],
      ["65536", 65536],
      ["64KiB", 65536],
      ["64k", 65536],
      [" 0.25 MiB ", 262144],
      ["128kB", 131072],
      ["1mb", 1003520],
      [1, 4096],
    ] as const) {
      if (size === 1) {
        await failsWith(() => open(uniqueRegionName(), { size }), "ERR_INVALID_SIZE", RangeError);
        continue;
      }
      const region = await Region.create(uniqueRegionName("sizes"), { size, maxSize: "2MiB" });
      assert.equal(region.sizeBytes, bytes, `rounded up to whole pages of ${size}`);
      await region.close();
    }
  });

  test("whole numbers with limits", async (t) => {
    const region = await testRegion(t, "numbers");
    const limited: readonly (readonly [string, (value: unknown) => unknown])[] = [
      ["capacity", (capacity) => loose(region.pipes, "create")("p", { capacity })],
      ["maxLeased", (maxLeased) => loose(region.pipes, "createSync")("p", { maxLeased })],
      ["words", (words) => loose(region.mutexes, "create")("m", { words })],
      ["maxMembers", (maxMembers) => loose(Region, "create")(uniqueRegionName(), { maxMembers })],
      ["mode", (mode) => loose(Region, "create")(uniqueRegionName(), { mode })],
    ];
    for (const [name, call] of limited) {
      for (const value of [-1, 0.5, NaN, Infinity, 2 ** 24 + 1, 2 ** 53]) {
        const error = await failsWith(() => call(value), "ERR_OUT_OF_RANGE", RangeError);
        assert.match(error.message, new RegExp(`^${name} must be a whole number from \\d+ to \\d+, not `));
      }
      for (const value of [null, "8", true, {}, [], 5n, Symbol("s")]) {
        assert.match(
          (await failsWith(() => call(value), "ERR_INVALID_ARGUMENT")).message,
          new RegExp(`^${name} must be`),
        );
      }
    }
    for (const name of ["capacity", "maxLeased"])
      await failsWith(() => loose(region, "pipe")("p", { [name]: 0 }), "ERR_OUT_OF_RANGE", RangeError);
    assert.deepEqual([region.pipes.list(), region.mutexes.list()], [[], []]);
    assert.equal((await region.mutex("none", { words: 0 })).wordCount, 0);
  });

  test("values of a counter", async (t) => {
    const region = await testRegion(t, "numbers");
    const counter = await region.counter("c");
    for (const verb of ["add", "set", "waitFor", "addSync", "setSync", "waitForSync"]) {
      for (const value of [NaN, 0.5, Infinity, 2 ** 53, -(2 ** 53), 2n ** 63n, -(2n ** 63n) - 1n])
        await failsWith(() => loose(counter, verb)(value), "ERR_OUT_OF_RANGE", RangeError);
      for (const value of [null, "1", true, {}, [], Symbol("s")])
        await failsWith(() => loose(counter, verb)(value), "ERR_INVALID_ARGUMENT");
    }
    assert.equal(counter.value, 0n);
    assert.equal(await counter.set(2n ** 63n - 1n), 2n ** 63n - 1n);
    assert.equal(await counter.add(), -(2n ** 63n), "wraps around as Atomics.add does");
  });
});
