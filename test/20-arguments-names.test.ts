import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, test } from "node:test";
import { Region, open } from "shmkit";
import { failsWith, failureOf, loose } from "./helpers/argument-failures.js";
import { leftovers, uniqueRegionName } from "./helpers/leftovers.js";
import { SMALL, testRegion } from "./helpers/process-regions.js";

const NOT_TEXT: readonly unknown[] = [
  undefined,
  null,
  5,
  true,
  {},
  [],
  Symbol("s"),
  () => "name",
  5n,
  Object.create(null),
];

/** What regions and collections of objects both do with a name. */
const VERBS = ["create", "open", "openOrCreate", "remove"].flatMap((verb) => [verb, `${verb}Sync`]);

describe("region names", () => {
  const BAD = ["", "/", "a/b", ".", "..", "../x", ".hidden", "-x", "a b", "a\0b", "a\n", "ä", "日本", "x".repeat(201)];
  const CALLS: Record<string, (name: unknown) => unknown> = {
    open: (name) => open(name as string, SMALL),
    ...Object.fromEntries(
      [...VERBS, "inspect"].map((method) => [`Region.${method}`, (name: unknown) => loose(Region, method)(name)]),
    ),
  };
  for (const [label, call] of Object.entries(CALLS)) {
    test(`${label} refuses what is none`, async () => {
      const before = readdirSync("/dev/shm").filter((file) => file === "shmkit.");
      for (const name of [...BAD, ...NOT_TEXT]) await failsWith(() => call(name), "ERR_INVALID_NAME");
      assert.deepEqual(
        readdirSync("/dev/shm").filter((file) => file === "shmkit."),
        before,
      );
      assert.deepEqual(leftovers(), []);
    });
  }

  test("the error says which name, and what a name is", async () => {
    const error = await failsWith(() => open("a/b"), "ERR_INVALID_NAME");
    assert.equal(error.actual, "a/b");
    assert.match(error.message, /"a\/b".*A-Z a-z 0-9/);
    assert.match(
      (await failureOf(() => open("x".repeat(5000)))).message,
      /^.{1,250}$/,
      "a long name is cut off in the message",
    );
  });

  test("up to 200 of the letters allowed, in both forms", async () => {
    const longest = `${uniqueRegionName()}A.b-c_9`.padEnd(200, "x");
    const region = await Region.create(longest, SMALL);
    assert.equal(region.name, longest);
    assert.equal(Region.openSync(longest).name, longest);
    const other = Region.openOrCreateSync(`_${uniqueRegionName()}`, SMALL);
    other.closeSync();
    await region.close();
    assert.equal(await Region.remove(longest), true, "the second handle still has it");
  });
});

describe("object names", () => {
  const BAD = ["", ".", "..", "a/b", "/", "a\0", "\n", "\x7f", "x".repeat(121), "日".repeat(41), "\ud800", "a\udfffb"];
  const GOOD = [
    " ",
    "a b",
    "日本語 ✓",
    "👩‍👩‍👧",
    "...",
    "é",
    "x".repeat(120),
    "日".repeat(40),
    "__proto__",
    "constructor",
    "\ue000",
  ];

  test("what is none is refused by all kinds and verbs", async (t) => {
    const region = await testRegion(t, "names");
    for (const kind of ["pipe", "counter", "mutex"] as const) {
      for (const name of [...BAD, ...NOT_TEXT]) {
        await failsWith(() => loose(region, kind)(name), "ERR_INVALID_NAME");
        await failsWith(() => loose(region, `${kind}Sync`)(name), "ERR_INVALID_NAME");
      }
    }
    for (const collection of [region.pipes, region.counters, region.mutexes]) {
      for (const verb of VERBS) {
        for (const name of [...BAD, ...NOT_TEXT])
          await failsWith(() => loose(collection, verb)(name), "ERR_INVALID_NAME");
      }
      assert.deepEqual(collection.list(), []);
    }
  });

  test("any other well-formed text is a name", async (t) => {
    const region = await testRegion(t, "names");
    for (const [at, name] of GOOD.entries()) assert.equal(await (await region.counter(name)).set(at), BigInt(at));
    assert.deepEqual(region.counters.list(), GOOD);
    for (const [at, name] of GOOD.entries()) assert.equal((await region.counters.open(name)).value, BigInt(at));
    assert.deepEqual(
      Region.inspect(region.name)!.objects.map((object) => object.name),
      GOOD,
    );
  });

  test("composed and decomposed letters are two names", async (t) => {
    const region = await testRegion(t, "names");
    await region.counters.create("\u00e9");
    await region.counters.create("e\u0301");
    assert.equal(region.counters.list().length, 2);
  });
});
