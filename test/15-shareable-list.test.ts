import assert from "node:assert/strict";
import { readFileSync, truncateSync } from "node:fs";
import { describe, test, type TestContext } from "node:test";
import { ShareableList, SharedMemory, type ShareableValue } from "shmkit";
import { failsWith, failureOf, loose } from "./helpers/argument-failures.js";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { hasPython, PythonProcess, runPython } from "./helpers/python.js";
import { ProcessMember } from "./helpers/process-member.js";

const nameIt = (): string => uniqueRegionName("list");

/** A new list, which the test closes and unlinks. */
async function list(t: TestContext, values: readonly ShareableValue[]): Promise<ShareableList> {
  const made = await ShareableList.create(values, nameIt());
  t.after(() => {
    made.close();
    made.memory.unlink();
  });
  return made;
}

async function failsWithCode(code: string, call: () => unknown) {
  const error = await failureOf(async () => call());
  assert.equal(error.code, code, error.message);
  return error;
}

const bytes = (...values: readonly number[]): Uint8Array => Uint8Array.from(values);

/** One of everything, with its edges. */
const VALUES: readonly ShareableValue[] = [
  0,
  -1,
  Number.MAX_SAFE_INTEGER,
  2n ** 63n - 1n,
  -(2n ** 63n),
  0.5,
  -0,
  Number.NaN,
  Infinity,
  2 ** 60,
  true,
  false,
  null,
  "",
  "eight ch",
  "日本語, and more than eight bytes",
  bytes(),
  bytes(0, 1, 255),
  new Uint8Array(1000).fill(7),
];

describe("a list", () => {
  test("has what was put in, in every handle, in the layout of Python", async (t) => {
    const made = await list(t, VALUES);
    const other = ShareableList.openSync(made.memory.name);
    for (const one of [made, other]) assert.deepEqual([...one], VALUES);
    assert.deepEqual([other.length, other.memory.created], [VALUES.length, false]);
    other.close();
    const small = await list(t, [5, "text", null]);
    const file = readFileSync(small.memory.path);
    const words = new BigInt64Array(file.buffer.slice(file.byteOffset, file.byteOffset + 64));
    assert.deepEqual([...words].slice(0, 6), [3n, 0n, 8n, 16n, 24n, 5n]);
    assert.equal(
      file.toString("latin1", 48),
      `text${"\0".repeat(12)}q${"\0".repeat(7)}8s${"\0".repeat(6)}xxxxxx?x\0\u0001\u0003`,
    );
  });

  test("is whole as soon as anybody can open it", async () => {
    const name = nameIt();
    const member = await ProcessMember.start();
    let hasEnded = false;
    const making = member
      .run(({ shmkit }, name) => {
        for (let round = 0; round < 300; round++) {
          const made = shmkit.ShareableList.createSync([1, "two", null], name);
          made.close();
          made.memory.unlink();
        }
      }, name)
      .finally(() => (hasEnded = true));
    let opened = 0;
    while (!hasEnded) {
      for (let look = 0; look < 100; look++) {
        let found: ShareableList;
        try {
          found = ShareableList.openSync(name);
        } catch (error) {
          assert.equal((error as { code: string }).code, "ERR_NOT_FOUND");
          continue;
        }
        assert.deepEqual([...found], [1, "two", null]);
        found.close();
        opened++;
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    await making;
    assert.ok(opened > 0, "it was opened in between");
  });

  test("of nothing, and without a name", async () => {
    for (const made of [await ShareableList.create([]), ShareableList.createSync(new Set([1, 2]))]) {
      assert.match(made.memory.name, /^psm_[0-9a-f]{8}$/);
      assert.deepEqual([...made], made.length === 0 ? [] : [1, 2]);
      if (made.length === 0) await failsWithCode("ERR_OUT_OF_RANGE", () => made.get(0));
      made.memory.unlink();
      made[Symbol.dispose]();
      await failsWithCode("ERR_CLOSED", () => made.get(0));
      await failsWithCode("ERR_CLOSED", () => made.set(0, 1));
    }
  });

  test("changes of value and kind; a float's place keeps floats", async (t) => {
    const made = await list(t, [1, 1.5, "12345678", bytes(1), null]);
    const changes: [number, ShareableValue][] = [
      [0, "1234567"],
      [0, bytes(1, 2, 3, 4, 5, 6, 7, 8)],
      [0, null],
      [0, true],
      [0, -3],
      [2, "sixteen bytes 16"],
      [2, "short"],
      [2, 4],
      [2, bytes(9)],
      [4, 2n ** 62n],
    ];
    for (const [index, value] of changes) {
      made.set(index, value);
      assert.deepEqual(made.get(index), value);
    }
    made.set(1, 2);
    const format = made.memory.size - 5 - 5 * 8;
    assert.equal(Buffer.from(made.memory.buffer).toString("latin1", format + 8, format + 9), "d");
    assert.deepEqual([...made], [-3, 2, bytes(9), bytes(1), 2n ** 62n]);
    made.set(1, 2n);
    assert.equal(Buffer.from(made.memory.buffer).toString("latin1", format + 8, format + 9), "q");
  });

  test("refuses what cannot be read again, what has no room, and places there are not", async (t) => {
    const made = await list(t, [1, "text"]);
    for (const value of ["a\0", "\0", bytes(1, 0), "\ud800"])
      await failsWith(() => made.set(1, value), "ERR_NOT_ENCODABLE");
    for (const value of [undefined, {}, [], Symbol("s"), () => 1, new Uint16Array(1)]) {
      await failsWith(() => loose(made, "set")(1, value), "ERR_NOT_ENCODABLE");
      await failsWith(() => loose(ShareableList, "create")([value]), "ERR_NOT_ENCODABLE");
    }
    for (const value of ["123456789", bytes(1, 2, 3, 4, 5, 6, 7, 8, 9), 2n ** 63n, -(2n ** 63n) - 1n])
      await failsWith(() => made.set(1, value), "ERR_OUT_OF_RANGE", RangeError);
    for (const index of [-1, 2, 0.5, Number.NaN]) {
      await failsWith(() => made.get(index), "ERR_OUT_OF_RANGE", RangeError);
      await failsWith(() => made.set(index, 1), "ERR_OUT_OF_RANGE", RangeError);
    }
    assert.deepEqual([...made], [1, "text"]);
    await failsWith(() => ShareableList.create(["x".repeat(9_999_992)]), "ERR_OUT_OF_RANGE", RangeError);
    for (const values of [undefined, null, 5, {}, "text"])
      await failsWith(() => loose(ShareableList, "create")(values), "ERR_INVALID_ARGUMENT");
    await failsWithCode("ERR_EXISTS", () => ShareableList.create([], made.memory.name));
    await failsWithCode("ERR_NOT_FOUND", () => ShareableList.open(nameIt()));
  });

  test("whatever bytes are there, it is ERR_CORRUPT or a value; a file that is cut off is ERR_REGION_LOST", async (t) => {
    const memory = await SharedMemory.create(nameIt(), { size: 200 });
    t.after(() => {
      memory.close();
      memory.unlink();
    });
    const all = new Uint8Array(memory.buffer);
    const good = await list(t, [7, "text", bytes(1), 0.5, true, null]);
    const image = new Uint8Array(good.memory.buffer).slice();
    let seed = 1;
    const random = (below: number): number => (seed = (seed * 48_271) % (2 ** 31 - 1)) % below;
    const outcomes = new Map<string, number>();
    const count = (outcome: string): unknown => outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    for (let round = 0; round < 1000; round++) {
      all.fill(0).set(image);
      all[random(image.length)] = random(256);
      all[random(image.length)] = random(256);
      let opened: ShareableList | undefined;
      try {
        opened = ShareableList.openSync(memory.name);
        for (let index = 0; index < opened.length; index++) count(typeof opened.get(index));
      } catch (error) {
        count(String((error as { code?: string }).code));
      }
      opened?.close();
    }
    assert.deepEqual(
      [...outcomes.keys()].sort(),
      ["ERR_CORRUPT", "boolean", "number", "object", "string", "bigint"].sort(),
    );
    for (const length of [2n ** 62n, -1n, 30n]) {
      new DataView(memory.buffer).setBigInt64(0, length, true);
      await failsWithCode("ERR_CORRUPT", () => ShareableList.open(memory.name));
    }
    const tiny = await SharedMemory.create(nameIt(), { size: 15 });
    await failsWithCode("ERR_CORRUPT", () => ShareableList.open(tiny.name));
    tiny.close();
    tiny.unlink();
    truncateSync(good.memory.path, 0);
    await failsWithCode("ERR_REGION_LOST", () => good.get(0));
    await failsWithCode("ERR_REGION_LOST", () => good.set(0, 1));
  });
});

const OURS = `
import json, sys
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import ShareableList
def attach(name):
    values = ShareableList(name=name)
    resource_tracker.unregister(values.shm._name, "shared_memory")
    return values
`;

describe("lists of Python", () => {
  test("Python reads what is made here, kinds included, and changes it", async (t) => {
    if (!hasPython(t)) return;
    const made = await list(t, VALUES);
    const seen = runPython(
      `${OURS}
values = attach(sys.argv[1])
print(json.dumps([f"{type(value).__name__} {value!r}" for value in values]))
values[0] = "a text"
values[1] = 2.0
values[5] = None
values[10] = b"raw"
values[13] = 2**53 + 1
values[14] = True
values[15] = "ü"
values.shm.close()`,
      made.memory.name,
    );
    assert.deepEqual(seen, [
      "int 0",
      "int -1",
      "int 9007199254740991",
      "int 9223372036854775807",
      "int -9223372036854775808",
      "float 0.5",
      "float -0.0",
      "float nan",
      "float inf",
      "float 1.152921504606847e+18",
      "bool True",
      "bool False",
      "NoneType None",
      "str ''",
      "str 'eight ch'",
      "str '日本語, and more than eight bytes'",
      "bytes b''",
      "bytes b'\\x00\\x01\\xff'",
      `bytes b'${"\\x07".repeat(1000)}'`,
    ]);
    for (const [index, value] of [
      [0, "a text"],
      [1, 2],
      [5, null],
      [10, bytes(...Buffer.from("raw"))],
      [13, 2n ** 53n + 1n],
      [14, true],
      [15, "ü"],
    ] as const)
      assert.deepEqual(made.get(index), value);
  });

  test("what Python makes is read and changed here, and read there again", async (t) => {
    if (!hasPython(t)) return;
    const python = new PythonProcess(`${OURS}
import time
values = ShareableList([1, -2.5, True, None, "howdy", b"HoWdY", "x" * 20, 2**62, ""])
print(values.shm.name)
while values[2]: time.sleep(0.001)
print(json.dumps([repr(value) for value in values]))
print(values.format)
values.shm.close()
values.shm.unlink()`);
    const name = await python.line();
    const opened = await ShareableList.open(name);
    assert.deepEqual(
      [...opened],
      [1, -2.5, true, null, "howdy", bytes(...Buffer.from("HoWdY")), "x".repeat(20), 2n ** 62n, ""],
    );
    opened.set(0, "was 1");
    opened.set(1, 4);
    opened.set(3, bytes(1, 2));
    opened.set(4, 12);
    opened.set(6, "日本語");
    opened.set(8, null);
    opened.set(2, false);
    assert.deepEqual(JSON.parse(await python.line()), [
      "'was 1'",
      "4.0",
      "False",
      "b'\\x01\\x02'",
      "12",
      "b'HoWdY'",
      "'日本語'",
      String(2n ** 62n),
      "None",
    ]);
    assert.equal(await python.line(), "8sdxxxxxxx?8sq8s24sqxxxxxx?x");
    await python.ended;
    opened.close();
  });
});
