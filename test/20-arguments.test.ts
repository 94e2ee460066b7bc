import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { Region, ShmkitError, open, type Counter, type Mutex, type MutexGuard, type Pipe } from "shmkit";
import { leftovers, uniqueRegionName } from "./helpers/leftovers.js";
import "./helpers/process-member.js";
import { SMALL, testRegion } from "./helpers/process-regions.js";

/** What TypeScript would not let through. */
type Loose = (...args: readonly unknown[]) => unknown;
const loose = (target: object, method: string): Loose => {
  const found = (target as Record<string, unknown>)[method];
  assert.equal(typeof found, "function", method);
  return (found as Loose).bind(target);
};

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

/** What a call ends in, whether it throws or rejects; fails unless it is an error. */
async function failureOf(call: () => unknown): Promise<ShmkitError> {
  try {
    await call();
  } catch (error) {
    assert.ok(error instanceof ShmkitError, `no typed error but ${String(error)}`);
    return error;
  }
  assert.fail("it should have failed");
}

async function failsWith(
  call: () => unknown,
  code: string,
  kind: typeof TypeError | typeof RangeError = TypeError,
): Promise<ShmkitError> {
  const error = await failureOf(call);
  assert.equal(error.code, code, error.message);
  assert.ok(error instanceof kind, `${error.name} instead of ${kind.name}`);
  return error;
}

describe("region names", () => {
  const BAD = [
    "",
    "/",
    "a/b",
    "/a",
    ".",
    "..",
    "../x",
    ".hidden",
    "-x",
    "a b",
    "a\0b",
    "a\n",
    "ä",
    "日本",
    "x".repeat(201),
  ];
  const CALLS: Record<string, (name: unknown) => unknown> = {
    open: (name) => open(name as string, SMALL),
    ...Object.fromEntries(
      [
        "create",
        "open",
        "openOrCreate",
        "remove",
        "createSync",
        "openSync",
        "openOrCreateSync",
        "removeSync",
        "inspect",
      ].map((method) => [`Region.${method}`, (name: unknown) => loose(Region, method)(name)]),
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
      for (const verb of [
        "create",
        "open",
        "openOrCreate",
        "remove",
        "createSync",
        "openSync",
        "openOrCreateSync",
        "removeSync",
      ]) {
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

interface Things {
  readonly region: Region;
  readonly pipe: Pipe;
  readonly counter: Counter;
  readonly mutex: Mutex;
}

/** Every call with options, by the options it knows: what is called, and one that is misspelt with what it should be. */
const WITH_OPTIONS: Record<
  string,
  { call: (things: Things, options: unknown) => unknown; misspelt: string; meant: string }
> = {
  "Region.create": {
    call: (_, o) => loose(Region, "create")(uniqueRegionName(), o),
    misspelt: "maxsize",
    meant: "maxSize",
  },
  "Region.createSync": {
    call: (_, o) => loose(Region, "createSync")(uniqueRegionName(), o),
    misspelt: "lifeTime",
    meant: "lifetime",
  },
  "Region.open": { call: ({ region }, o) => loose(Region, "open")(region.name, o), misspelt: "lable", meant: "label" },
  "Region.openSync": {
    call: ({ region }, o) => loose(Region, "openSync")(region.name, o),
    misspelt: "waits",
    meant: "wait",
  },
  "Region.openOrCreate": {
    call: ({ region }, o) => loose(Region, "openOrCreate")(region.name, o),
    misspelt: "allowOtherUsers",
    meant: "allowOtherUser",
  },
  open: { call: ({ region }, o) => (open as Loose)(region.name, o), misspelt: "maxMember", meant: "maxMembers" },
  "Region.remove": {
    call: (_, o) => loose(Region, "remove")(uniqueRegionName(), o),
    misspelt: "timeout",
    meant: "timeoutMs",
  },
  "Region.removeSync": {
    call: (_, o) => loose(Region, "removeSync")(uniqueRegionName(), o),
    misspelt: "timeoutms",
    meant: "timeoutMs",
  },
  "Region.clean": { call: (_, o) => loose(Region, "clean")(o), misspelt: "kernal", meant: "kernel" },
  grow: { call: ({ region }, o) => loose(region, "grow")("512KiB", o), misspelt: "signals", meant: "signal" },
  pipe: { call: ({ region }, o) => loose(region, "pipe")("made", o), misspelt: "capasity", meant: "capacity" },
  pipeSync: {
    call: ({ region }, o) => loose(region, "pipeSync")("made", o),
    misspelt: "maxLeases",
    meant: "maxLeased",
  },
  counter: { call: ({ region }, o) => loose(region, "counter")("made", o), misspelt: "timeout", meant: "timeoutMs" },
  counterSync: {
    call: ({ region }, o) => loose(region, "counterSync")("made", o),
    misspelt: "timeout",
    meant: "timeoutMs",
  },
  mutex: { call: ({ region }, o) => loose(region, "mutex")("made", o), misspelt: "word", meant: "words" },
  mutexSync: { call: ({ region }, o) => loose(region, "mutexSync")("made", o), misspelt: "word", meant: "words" },
  "pipes.create": {
    call: ({ region }, o) => loose(region.pipes, "create")("made", o),
    misspelt: "capacit",
    meant: "capacity",
  },
  "pipes.createSync": {
    call: ({ region }, o) => loose(region.pipes, "createSync")("made", o),
    misspelt: "capacit",
    meant: "capacity",
  },
  "pipes.open": { call: ({ region }, o) => loose(region.pipes, "open")("pipe", o), misspelt: "wiat", meant: "wait" },
  "pipes.openSync": {
    call: ({ region }, o) => loose(region.pipes, "openSync")("pipe", o),
    misspelt: "wiat",
    meant: "wait",
  },
  "pipes.openOrCreate": {
    call: ({ region }, o) => loose(region.pipes, "openOrCreate")("made", o),
    misspelt: "Capacity",
    meant: "capacity",
  },
  "pipes.remove": {
    call: ({ region }, o) => loose(region.pipes, "remove")("made", o),
    misspelt: "timeOutMs",
    meant: "timeoutMs",
  },
  "pipes.removeSync": {
    call: ({ region }, o) => loose(region.pipes, "removeSync")("made", o),
    misspelt: "timeOutMs",
    meant: "timeoutMs",
  },
  send: { call: ({ pipe }, o) => loose(pipe, "send")(1, o), misspelt: "timeout", meant: "timeoutMs" },
  sendSync: { call: ({ pipe }, o) => loose(pipe, "sendSync")(1, o), misspelt: "timeout", meant: "timeoutMs" },
  sendBytesSync: {
    call: ({ pipe }, o) => loose(pipe, "sendBytesSync")(new Uint8Array(1), o),
    misspelt: "timeout",
    meant: "timeoutMs",
  },
  receive: { call: ({ pipe }, o) => loose(pipe, "receive")(o), misspelt: "leased", meant: "lease" },
  receiveSync: { call: ({ pipe }, o) => loose(pipe, "receiveSync")(o), misspelt: "leased", meant: "lease" },
  tryReceive: { call: ({ pipe }, o) => loose(pipe, "tryReceive")(o), misspelt: "leased", meant: "lease" },
  receiveInto: {
    call: ({ pipe }, o) => loose(pipe, "receiveInto")(new Uint8Array(64), o),
    misspelt: "signl",
    meant: "signal",
  },
  receiveIntoSync: {
    call: ({ pipe }, o) => loose(pipe, "receiveIntoSync")(new Uint8Array(64), o),
    misspelt: "signl",
    meant: "signal",
  },
  process: {
    call: ({ pipe }, o) => loose(pipe, "process")(() => undefined, o),
    misspelt: "concurency",
    meant: "concurrency",
  },
  "pipe.close": { call: ({ pipe }, o) => loose(pipe, "close")(o), misspelt: "timeout", meant: "timeoutMs" },
  "pipe.closeSync": { call: ({ pipe }, o) => loose(pipe, "closeSync")(o), misspelt: "timeout", meant: "timeoutMs" },
  drain: { call: ({ pipe }, o) => loose(pipe, "drain")(o), misspelt: "timeout", meant: "timeoutMs" },
  ...Object.fromEntries(
    ["add", "addSync", "set", "setSync", "waitFor", "waitForSync"].map((verb) => [
      `counter.${verb}`,
      {
        call: ({ counter }: Things, o: unknown) => loose(counter, verb)(0, o),
        misspelt: "timeout",
        meant: "timeoutMs",
      },
    ]),
  ),
  lock: { call: ({ mutex }, o) => loose(mutex, "lock")(o), misspelt: "timeout", meant: "timeoutMs" },
  lockSync: { call: ({ mutex }, o) => loose(mutex, "lockSync")(o), misspelt: "timeout", meant: "timeoutMs" },
};

describe("options", () => {
  let things: Things;
  before(async () => {
    const region = await Region.create(uniqueRegionName("options"), SMALL);
    things = {
      region,
      pipe: await region.pipe("pipe"),
      counter: await region.counter("counter"),
      mutex: await region.mutex("mutex"),
    };
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
  function calls(
    { region, pipe, counter, mutex }: Things,
    guard: MutexGuard,
  ): Record<string, (junk: unknown) => unknown> {
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
      const waits = /^(process|open|lock|Region\.(create|open).*)/;
      made[`options of ${label}`] = (junk) =>
        waits.test(label) &&
        (typeof junk !== "object" || junk === null || Object.keys(junk).length > 0 || Array.isArray(junk)) &&
        junk !== undefined
          ? call({ region, pipe, counter, mutex }, junk)
          : undefined;
    }
    return made;
  }

  test("every call answers a value or a typed error, promises reject, and all goes on", async (t) => {
    const region = await testRegion(t, "junk");
    const things = {
      region,
      pipe: await region.pipe("pipe"),
      counter: await region.counter("counter"),
      mutex: await region.mutex("mutex"),
    };
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
