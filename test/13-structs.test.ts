import assert from "node:assert/strict";
import { inspect } from "node:util";
import { describe, test } from "node:test";
import {
  array,
  bits,
  bool,
  bytes,
  Cursor,
  FieldType,
  float16,
  float32,
  float64,
  int16,
  int32,
  int64,
  int8,
  open,
  string,
  struct,
  uint16,
  uint32,
  uint64,
  uint8,
  type StructOf,
} from "shmkit";
import { failsWith, type Loose } from "./helpers/argument-failures.js";
import { uniqueRegionName } from "./helpers/leftovers.js";

const MyColor = struct({ red: int16, green: int16, blue: int16, alpha: int16 }, { name: "MyColor" });
const Position = struct({ x: float64, y: float64 }, { name: "Position" });
const Everything = struct(
  {
    ok: bool,
    i8: int8,
    u8: uint8,
    i16: int16,
    u16: uint16,
    i32: int32,
    u32: uint32,
    i64: int64,
    u64: uint64,
    half: float16,
    single: float32,
    double: float64,
    name: string(8),
    raw: bytes(3),
    flags: bits({ a: 3, b: 5, c: 7 }, uint8),
    at: Position,
    list: array(int32, 3),
    table: array(array(uint16, 2), 2),
    places: array(Position, 2),
  },
  { name: "Everything" },
);

const everything: StructOf<typeof Everything> = {
  ok: true,
  i8: -128,
  u8: 255,
  i16: -32768,
  u16: 65535,
  i32: -(2 ** 31),
  u32: 2 ** 32 - 1,
  i64: -(2n ** 63n),
  u64: 2n ** 64n - 1n,
  half: 1.5,
  single: 0.1,
  double: Math.PI,
  name: "día",
  raw: Uint8Array.of(1, 0, 3),
  flags: { a: 7, b: 0, c: 127 },
  at: { x: -1.5, y: Infinity },
  list: [1, -2, 3],
  table: [
    [1, 2],
    [3, 4],
  ],
  places: [
    { x: 1, y: 2 },
    { x: 3, y: NaN },
  ],
};
const asRead = { ...everything, single: Math.fround(0.1) };

const range = (call: () => unknown): Promise<Error> => failsWith(call, "ERR_OUT_OF_RANGE", RangeError);
const misuse = (call: () => unknown): Promise<Error> => failsWith(call, "ERR_INVALID_ARGUMENT");

describe("layout", () => {
  test("as in C: aligned, packed, aligned to more", () => {
    const fields = { a: uint8, b: int32, c: uint8 };
    for (const [options, size, alignment, offset] of [
      [{}, 12, 4, 4],
      [{ pack: 1 }, 6, 1, 1],
      [{ pack: 2 }, 8, 2, 2],
      [{ align: 16 }, 16, 16, 4],
      [{ pack: 1, align: 8 }, 8, 8, 1],
    ] as const) {
      const made = struct(fields, options);
      assert.deepEqual([made.size, made.alignment, made.offsetOf("b")], [size, alignment, offset]);
    }
    assert.equal(MyColor.size, 8);
  });

  test("fields of fields are found by their paths", () => {
    assert.equal(Everything.offsetOf("at.y") - Everything.offsetOf("at"), 8);
    assert.equal(Everything.offsetOf("places[1].y") - Everything.offsetOf("places"), 24);
    assert.equal(Everything.offsetOf("table[1][1]") - Everything.offsetOf("table"), 6);
  });

  test("paths that lead nowhere are errors", async () => {
    for (const path of [
      "nothing",
      "at.z",
      "places[2]",
      "places.x",
      "list[0].x",
      "i8[0]",
      "flags.a",
      "at..x",
      ".at",
      "at.",
      "",
      5,
    ])
      await misuse(() => Everything.offsetOf(path as string));
  });

  test("the layout as data names every field", () => {
    assert.deepEqual(struct({ at: Position, f: bits({ a: 3, b: 6 }, uint8) }, { name: "Both" }).layout(), {
      name: "Both",
      size: 24,
      alignment: 8,
      endian: "little",
      fields: [
        {
          name: "at",
          type: "Position",
          offset: 0,
          size: 16,
          fields: [
            { name: "x", type: "float64", offset: 0, size: 8 },
            { name: "y", type: "float64", offset: 8, size: 8 },
          ],
        },
        {
          name: "f",
          type: "bits({ a: 3, b: 6 }, uint8)",
          offset: 16,
          size: 2,
          fields: [
            { name: "a", type: "uint8", offset: 0, size: 1, bits: { shift: 0, width: 3 } },
            { name: "b", type: "uint8", offset: 1, size: 1, bits: { shift: 0, width: 6 } },
          ],
        },
      ],
    });
  });

  test("what can be no struct is refused", async () => {
    for (const fields of [{}, [], null, 5, { a: 5 }, { "a-b": int8 }, { "1": int8 }, { a: undefined }])
      await misuse(() => (struct as Loose)(fields));
    await misuse(() => (struct as Loose)(JSON.parse('{"__proto__":1}')));
    const { message } = await failsWith(() => struct({ toJSON: int8 }), "ERR_INVALID_ARGUMENT");
    assert.match(message, /toJSON, which means something to JavaScript/);
    for (const options of [
      { pack: 3 },
      { align: 3 },
      { align: 8192 },
      { endian: "middle" },
      { name: "a b" },
      { name: 5 },
    ])
      await misuse(() => (struct as Loose)({ a: int8 }, options));
    await failsWith(() => (struct as Loose)({ a: int8 }, { packed: 1 }), "ERR_UNKNOWN_OPTION");
    await misuse(() => struct({ f: bits({ a: 1 }, uint8) }, { endian: "big" }));
    await misuse(() => (bits as Loose)({ a: 1 }, int64));
    await misuse(() => (bits as Loose)({}, uint8));
    for (const width of [0, 9, 1.5]) await range(() => bits({ a: width }, uint8));
    for (const length of [0, -1, 1.5, 2 ** 25]) {
      await range(() => array(int8, length));
      await range(() => string(length));
      await range(() => bytes(length));
    }
    await misuse(() => (array as Loose)("int8", 3));
    await range(() => array(array(int8, 2 ** 24), 128));
    const large = array(array(int8, 2 ** 24), 127);
    await range(() => struct({ a: large, b: large }));
  });
});

describe("reading and writing", () => {
  test("every type comes back, at every offset, in every kind of memory", () => {
    for (const memory of [
      new ArrayBuffer(512),
      new SharedArrayBuffer(512),
      Buffer.alloc(512).subarray(1),
      new Float64Array(64),
    ])
      for (const offset of [0, 8, 13]) {
        Everything.write(memory, offset, everything);
        assert.deepEqual(Everything.read(memory, offset), asRead);
      }
    assert.deepEqual(Everything.decode(Everything.encode(everything)), asRead);
  });

  test("big-endian bytes lie the other way round", () => {
    const both = { a: uint16, b: array(uint32, 1), c: float64, inner: struct({ d: uint16 }) };
    const big = struct(both, { endian: "big", pack: 1 });
    const value = { a: 0x0102, b: [0x01020304], c: -2, inner: { d: 0x0102 } };
    assert.equal(Buffer.from(big.encode(value)).toString("hex"), "0102" + "01020304" + "c000000000000000" + "0201");
    assert.deepEqual(big.decode(big.encode(value)), value);
    const live = big.cursor(new ArrayBuffer(big.size)).at(0);
    live.a = 0x0102;
    live.b.set(0, 7);
    assert.deepEqual([live.a, live.b.get(0)], [0x0102, 7]);
    assert.throws(() => (live.a = 65536), { code: "ERR_OUT_OF_RANGE" });
  });

  test("the limits of each number", async () => {
    const numbers = struct({
      i8: int8,
      u8: uint8,
      i16: int16,
      u16: uint16,
      i32: int32,
      u32: uint32,
      half: float16,
      single: float32,
    });
    const memory = new ArrayBuffer(numbers.size);
    const zero = numbers.read(memory);
    const live = numbers.cursor(memory).at(0);
    for (const [field, lowest, highest] of [
      ["i8", -128, 127],
      ["u8", 0, 255],
      ["i16", -32768, 32767],
      ["u16", 0, 65535],
      ["i32", -(2 ** 31), 2 ** 31 - 1],
      ["u32", 0, 2 ** 32 - 1],
      ["half", -65504, 65504],
      ["single", -(2 - 2 ** -23) * 2 ** 127, (2 - 2 ** -23) * 2 ** 127],
    ] as const) {
      for (const value of [lowest, highest]) {
        live[field] = value;
        assert.equal(live[field], value);
        numbers.write(memory, 0, { ...zero, [field]: value });
        assert.equal(numbers.read(memory)[field], value);
      }
      const isFloat = field === "half" || field === "single";
      const beyond = isFloat ? [highest * 1.01, lowest * 1.01] : [lowest - 1, highest + 1, 0.5, NaN, Infinity];
      for (const value of beyond) {
        const written = await range(() => numbers.write(memory, 0, { ...zero, [field]: value }));
        assert.match(
          written.message,
          new RegExp(`^struct\\.${field} must be .*, not ${String(value).replace("+", "\\+")}$`),
        );
        assert.equal((await range(() => (live[field] = value))).message, written.message);
      }
      for (const value of ["5", null, undefined, {}, 5n, true, Symbol("s")]) {
        await misuse(() => ((live as Record<string, unknown>)[field] = value));
        await misuse(() => numbers.write(memory, 0, { ...zero, [field]: value as number }));
      }
    }
  });

  test("64 bits are bigints, and bool is true or false", async () => {
    const wide = struct({ i: int64, u: uint64, ok: bool });
    const memory = new ArrayBuffer(wide.size);
    const live = wide.cursor(memory).at(0);
    live.i = -(2n ** 63n);
    live.u = 2n ** 64n - 1n;
    live.ok = true;
    assert.deepEqual(wide.read(memory), { i: -(2n ** 63n), u: 2n ** 64n - 1n, ok: true });
    await range(() => (live.i = 2n ** 63n));
    await range(() => (live.u = -1n));
    for (const [field, value] of [
      ["i", 1],
      ["u", "1"],
      ["ok", 1],
      ["ok", "true"],
    ] as const)
      // prettier-ignore
      await misuse(() => ((live as Record<string, unknown>)[field] = value));
    new Uint8Array(memory)[16] = 7;
    assert.equal(live.ok, true);
  });

  test("halves: every one of them comes back, and others are rounded to the nearest, of two the even one", () => {
    const one = struct({ half: float16 });
    const memory = new ArrayBuffer(2);
    const words = new Uint16Array(memory);
    for (let bits = 0; bits < 65536; bits++) {
      words[0] = bits;
      const { half } = one.read(memory);
      const exponent = (bits >> 10) & 31;
      const mantissa = bits & 1023;
      const size = exponent === 0 ? mantissa * 2 ** -24 : (1 + mantissa / 1024) * 2 ** (exponent - 15);
      if (exponent < 31) assert.equal(half, bits >= 32768 ? -size : size);
      else assert.equal(Number.isFinite(half), false);
      one.write(memory, 0, { half });
      if (!Number.isNaN(half)) assert.equal(words[0], bits);
    }
    for (const [value, stored] of [
      [2049, 2048],
      [2051, 2052],
      [1 + 2 ** -11, 1],
      [1 + 3 * 2 ** -11, 1 + 2 ** -9],
      [2 ** -25, 0],
      [3 * 2 ** -25, 2 ** -23],
      [65519, 65504],
      [2047.9, 2048],
    ])
      assert.equal(one.decode(one.encode({ half: value })).half, stored);
  });

  test("text", async () => {
    const line = struct({ text: string(8) }, { name: "Line" });
    const memory = new Uint8Array(8).fill(255);
    line.write(memory, 0, { text: "ab" });
    assert.deepEqual([...memory], [97, 98, 0, 0, 0, 0, 0, 0]);
    for (const text of ["", "1234567", "日本", "\ufeffab"]) assert.equal(line.decode(line.encode({ text })).text, text);
    const error = await range(() => line.write(memory, 0, { text: "日本語" }));
    assert.match(error.message, /^Line\.text must be text of at most 7 bytes in UTF-8, not "日本語"$/);
    for (const text of ["a\0", "\ud800", "x\udc00", 5, null])
      await misuse(() => line.write(memory, 0, { text: text as string }));
    assert.equal(line.read(memory).text, "ab");
    const filled = struct({ text: string(8, { terminated: false }) });
    assert.equal(filled.decode(filled.encode({ text: "12345678" })).text, "12345678");
    await range(() => filled.encode({ text: "123456789" }));
    // All eight, as strncpy leaves them, and what is no UTF-8.
    assert.equal(line.read(Buffer.from("12345678")).text, "12345678");
    assert.equal(line.read(Uint8Array.of(0xff, 65, 0, 66, 0, 0, 0, 0)).text, "\ufffdA");
    const live = line.cursor(memory).at(0);
    live.text = "live";
    assert.equal(live.text, "live");
  });

  test("bytes are copied, both ways", async () => {
    const raw = struct({ raw: bytes(3) });
    const given = Uint8Array.of(1, 2, 3);
    const memory = new Uint8Array(3);
    raw.write(memory, 0, { raw: given });
    given[0] = 9;
    const { raw: taken } = raw.read(memory);
    memory[1] = 9;
    assert.deepEqual([...taken], [1, 2, 3]);
    for (const length of [2, 4]) await range(() => raw.write(memory, 0, { raw: new Uint8Array(length) }));
    await misuse(() => raw.write(memory, 0, { raw: [1, 2, 3] as never }));
  });

  test("a wrong value anywhere leaves the memory as it was, and the error says where", async () => {
    const memory = new Uint8Array(Everything.size * 2);
    Everything.writeArray(memory, 0, [everything, everything]);
    const before = memory.slice();
    for (const [value, where] of [
      [{ ...everything, at: { x: 1, y: "2" } }, "Everything.at.y"],
      [{ ...everything, places: [{ x: 1, y: 1 }, { x: 1 }] }, "Everything.places[1].y"],
      [{ ...everything, flags: { a: 8, b: 0, c: 0 } }, "Everything.flags.a"],
      [{ ...everything, table: [[1, 2], [3, -4]] }, "Everything.table[1][1]"], // prettier-ignore
      [{ ...everything, list: [1, 2] }, "Everything.list.length"],
      [{ ...everything, places: "ab" }, "Everything.places"],
      [{ ...everything, u64: 1 }, "Everything.u64"],
    ] as const) {
      await assert.rejects(async () => Everything.write(memory, 0, value as never), { path: where });
      await assert.rejects(async () => Everything.writeArray(memory, 0, [everything, value as never]), {
        path: where.replace("Everything", "values[1]"),
      });
      assert.deepEqual(memory, before);
    }
    const unknown = await misuse(() => Everything.write(memory, 0, { ...everything, plcaes: 1 } as never));
    assert.match(unknown.message, /^Everything has no field "plcaes"; did you mean "places"\?$/);
    for (const value of [null, undefined, 5, "x"]) await misuse(() => Everything.write(memory, 0, value as never));
  });

  test("places outside the memory, and what is no memory", async () => {
    const memory = new ArrayBuffer(20);
    for (const offset of [13, -1, 0.5, NaN, Infinity]) {
      await range(() => MyColor.read(memory, offset));
      await range(() => MyColor.write(memory, offset, { red: 0, green: 0, blue: 0, alpha: 0 }));
      await range(() => MyColor.atomics(memory, offset));
    }
    await range(() => MyColor.read(new Uint8Array(7)));
    await range(() => MyColor.cursor(memory, 21));
    await range(() => MyColor.cursor(memory, 0, 3));
    await range(() => MyColor.readArray(memory, 5, 2));
    for (const wrong of [null, undefined, 5, {}, [], "x"]) {
      await misuse(() => MyColor.read(wrong as never));
      await misuse(() => MyColor.cursor(wrong as never));
    }
    await misuse(() => MyColor.read(memory, "0" as never));
    await misuse(() => MyColor.writeArray(memory, 0, {} as never));
  });

  test("values whose getters write another one, and what they throw", () => {
    const memory = new ArrayBuffer(16);
    const black = { red: 0, green: 0, blue: 0, alpha: 1 };
    const mine = new Error("mine");
    MyColor.write(memory, 0, {
      ...black,
      get green() {
        MyColor.write(memory, 8, { red: 9, green: 9, blue: 9, alpha: 9 });
        return 5;
      },
    });
    assert.deepEqual(MyColor.read(memory), { ...black, green: 5 });
    assert.deepEqual(MyColor.read(memory, 8), { red: 9, green: 9, blue: 9, alpha: 9 });
    const failing = {
      ...black,
      get alpha(): number {
        throw mine;
      },
    };
    assert.throws(
      () => MyColor.write(memory, 0, failing),
      (thrown) => thrown === mine,
    );
    assert.deepEqual(MyColor.read(memory), { ...black, green: 5 });
  });

  test("messages of another size are no struct", () => {
    for (const length of [7, 9])
      assert.throws(
        () => MyColor.decode(new Uint8Array(length)),
        (error: { code: string; bytes: Uint8Array }) => {
          return error.code === "ERR_BAD_MESSAGE" && error.bytes.length === length;
        },
      );
  });
});

async function throughPipe(value: unknown): Promise<unknown> {
  const region = await open(uniqueRegionName("structs"));
  const pipe = await region.pipe("values");
  await pipe.send(value);
  const received = await pipe.receive();
  await region.close();
  return received;
}

describe("cursors", () => {
  test("reads and writes where it lies", () => {
    const memory = new ArrayBuffer(8 * 4 + 2);
    const colors = MyColor.cursor(memory, 2);
    assert.equal(colors.length, 4);
    for (let i = 0; i < colors.length; i++) colors.at(i).red += 10 * i;
    assert.deepEqual(
      MyColor.readArray(memory, 2, 4).map(({ red }) => red),
      [0, 10, 20, 30],
    );
    colors.set(0, { red: 1, green: 2, blue: 3, alpha: 4 });
    assert.deepEqual(colors.get(0), MyColor.read(memory, 2));
    assert.equal(colors.at(1), colors.at(2));
    assert.ok(colors instanceof Cursor && MyColor instanceof FieldType);
    assert.equal(MyColor.cursor(memory, 0, 2).length, 2);
  });

  test("walks through what is nested, and moves with its record", () => {
    const memory = new ArrayBuffer(Everything.size * 2);
    Everything.writeArray(memory, 0, [everything, everything]);
    const cursor = Everything.cursor(memory);
    const record = cursor.at(1);
    record.at.y = 5;
    record.flags.b = 31;
    record.flags.a = 0;
    record.list.set(2, 99);
    record.table.at(1).set(0, 7);
    record.places.at(1).x = 8;
    record.places.set(0, { x: 0, y: 0 });
    record.name = "new";
    record.raw = Uint8Array.of(7, 8, 9);
    const changed = {
      ...asRead,
      at: { x: -1.5, y: 5 },
      flags: { a: 0, b: 31, c: 127 },
      list: [1, -2, 99],
      table: [
        [1, 2],
        [7, 4],
      ],
      places: [
        { x: 0, y: 0 },
        { x: 8, y: NaN },
      ],
      name: "new",
      raw: Uint8Array.of(7, 8, 9),
    };
    assert.deepEqual(Everything.readArray(memory, 0, 2), [asRead, changed]);
    assert.equal(inspect(record), inspect(changed));
    const { list } = record;
    cursor.at(0);
    assert.equal(record.list, list);
    assert.deepEqual([list.length, list.at(2), record.places.at(0).y], [3, 3, 2]);
  });

  test("what is walked through can be assigned: it is copied in", () => {
    const cursor = Everything.cursor(new ArrayBuffer(Everything.size));
    Object.assign(cursor.at(0), everything);
    assert.deepEqual(cursor.get(0), asRead);
  });

  test("a live record is its values in JSON and in messages", async () => {
    const position = Position.cursor(new Float64Array([1, 2])).at(0);
    assert.equal(JSON.stringify({ position }), '{"position":{"x":1,"y":2}}');
    assert.deepEqual(await throughPipe(position), { x: 1, y: 2 });
  });

  test("memory that is taken away while it is written to", async () => {
    const memory = new ArrayBuffer(16);
    const taking = {
      y: 1,
      get x() {
        structuredClone(memory, { transfer: [memory] });
        return 1;
      },
    };
    await range(() => Position.write(memory, 0, taking));
  });

  test("live records can be written elsewhere, fields and all", () => {
    const from = Position.cursor(new Float64Array([1, 2, 3, 4]));
    const to = Position.cursor(new ArrayBuffer(32));
    to.set(0, from.at(1));
    assert.deepEqual(to.get(0), { x: 3, y: 4 });

    const rows = Everything.cursor(new ArrayBuffer(2 * Everything.size));
    rows.set(0, everything);
    rows.set(1, rows.at(0) as never);
    assert.deepEqual(rows.get(1), asRead);
    (rows.at(1) as { list: unknown }).list = rows.at(0).list;
    assert.deepEqual(rows.get(1), asRead);
  });

  test("wrong indexes and values are errors, and change nothing", async () => {
    const memory = new ArrayBuffer(Everything.size);
    const cursor = Everything.cursor(memory);
    for (const index of [1, -1, 0.5, NaN, Infinity, 2 ** 32]) {
      await range(() => cursor.at(index));
      await range(() => cursor.get(index));
      await range(() => cursor.set(index, everything));
      await range(() => cursor.at(0).list.at(index * 3));
    }
    for (const index of ["0", null, undefined]) await misuse(() => cursor.at(index as never));
    await range(() => (cursor.at(0).flags.a = 8));
    await misuse(() => (cursor.at(0).flags.a = "1" as never));
    await range(() => cursor.at(0).list.set(0, 2 ** 31));
    await range(() => cursor.at(0).table.at(0).set(1, -1));
    await misuse(() => ((cursor.at(0) as { at: unknown }).at = { x: 1, y: "1" }));
    for (const lost of [cursor, cursor.at(0), cursor.at(0).list, cursor.at(0).places, cursor.at(0).flags] as object[])
      assert.throws(() => ((lost as Record<string, unknown>)[0] = 1), /not extensible/);
    assert.ok(new Uint8Array(memory).every((byte) => byte === 0));
  });

  test("signed bit fields, and whole units", () => {
    const flags = struct({
      a: bits({ low: 4, high: 4 }, int8),
      b: bits({ all: 32 }, uint32),
      c: bits({ all: 32 }, int32),
    });
    const memory = new ArrayBuffer(flags.size);
    const live = flags.cursor(memory).at(0);
    live.a.low = -8;
    live.a.high = 7;
    live.b.all = 2 ** 32 - 1;
    live.c.all = -(2 ** 31);
    const value = { a: { low: -8, high: 7 }, b: { all: 2 ** 32 - 1 }, c: { all: -(2 ** 31) } };
    assert.deepEqual(flags.read(memory), value);
    assert.deepEqual(flags.decode(flags.encode(value)), value);
    assert.equal(new Uint8Array(memory)[0], 0x78);
  });
});

describe("atomics", () => {
  const Totals = struct(
    { flag: bool, small: int8, count: uint32, long: int64, ratio: float64, name: string(4) },
    { name: "Totals" },
  );

  test("operations answer the value before", () => {
    const memory = new SharedArrayBuffer(Totals.size * 2);
    const totals = Totals.atomics(memory, Totals.size);
    assert.equal(totals.add("count", 5), 0);
    assert.equal(totals.sub("count", 6), 5);
    assert.equal(totals.load("count"), 2 ** 32 - 1);
    assert.equal(totals.and("count", 0xff), 2 ** 32 - 1);
    assert.equal(totals.or("count", 0x100), 0xff);
    assert.equal(totals.xor("count", 0x101), 0x1ff);
    assert.equal(totals.exchange("count", 3), 0xfe);
    assert.equal(totals.compareExchange("count", 4, 9), 3);
    assert.equal(totals.compareExchange("count", 3, 9), 3);
    totals.store("small", -128);
    assert.equal(totals.add("long", -1n), 0n);
    const { small, count, long } = Totals.read(memory, Totals.size);
    assert.deepEqual([small, count, long], [-128, 9, -1n]);
  });

  test("what is no aligned integer has none", async () => {
    const memory = new ArrayBuffer(Totals.size + 8);
    for (const field of ["flag", "ratio", "name", "nothing"] as const)
      await misuse(() => (Totals.atomics(memory) as unknown as { load: Loose }).load(field));
    const shifted = await misuse(() => Totals.atomics(memory, 2).load("count"));
    assert.match(
      shifted.message,
      /^Totals\.count has no atomic access: it lies at byte 6 of the buffer, which is no multiple of 4$/,
    );
    const packed = struct({ a: uint8, b: uint32 }, { pack: 1 });
    await misuse(() => packed.atomics(memory).add("b", 1));
    assert.equal(packed.atomics(memory, 3).add("b", 1), 0);
    await misuse(() => Totals.atomics(new Uint8Array(memory, 1)).load("count"));
    const big = struct({ a: uint8, b: uint32 }, { endian: "big" });
    await misuse(() => big.atomics(memory).load("b"));
    assert.equal(big.atomics(memory).load("a"), 0);
  });

  test("operands are checked", async () => {
    const totals = Totals.atomics(new ArrayBuffer(Totals.size));
    await range(() => totals.store("small", 128));
    await range(() => totals.add("count", -1));
    await range(() => totals.compareExchange("count", -1, 0));
    await range(() => totals.compareExchange("count", 0, 2 ** 32));
    for (const value of ["1", 1, undefined]) await misuse(() => totals.add("long", value as never));
    assert.equal(totals.load("count"), 0);
  });
});

test("memory that was transferred elsewhere is none", async () => {
  const Point = struct({ x: int32 });
  const memory = new ArrayBuffer(4);
  const view = new Uint8Array(memory);
  structuredClone(memory, { transfer: [memory] });
  for (const gone of [memory, view])
    for (const use of [() => Point.read(gone), () => Point.write(gone, 0, { x: 1 }), () => Point.cursor(gone)])
      assert.match((await misuse(use)).message, /detached/);
});

test("many structs of one shape, as programs have them, do not mix up their fields", () => {
  const kinds = Array.from({ length: 12 }, (_, i) =>
    struct(i % 2 === 0 ? { a: int32, b: int32 } : { b: int32, a: int32 }),
  );
  for (let round = 0; round < 500; round++)
    for (const [i, kind] of kinds.entries()) {
      const record = kind.cursor(new ArrayBuffer(16)).at(1);
      record.a = i;
      record.b = 100 + i;
      assert.deepEqual([record.a, record.b], [i, 100 + i]);
    }
});
