import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { MutexStatistics, RegionInfo } from "shmkit";
import { clip, colours, displayWidth, printable, wantsColours } from "#src/cli/colours.js";
import { frameText } from "#src/cli/full-screen.js";
import { History, REMEMBERED } from "#src/cli/history.js";
import type { ListedRegion, Listing } from "#src/cli/listing.js";
import { fit, gauge, sparkline, topLines } from "#src/cli/top-screen.js";
import { CLI, run, start, until } from "./helpers/cli-process.js";
import { joined } from "./helpers/cli-regions.js";
import { PseudoTerminal } from "./helpers/pseudo-terminal.js";

const PLAIN = colours(false);
const OTHER_SCREEN = "\u001b[?1049h";
const BACK = "\u001b[?25h\u001b[?1049l";

/** A mutex with an owner. */
const held = (ownerSlot: number, takeovers = 0, waiting = 0): MutexStatistics => ({
  ownerSlot,
  heldSince: undefined,
  waiting: Array.from({ length: waiting }, (_, slot) => ({
    slot: slot + 2,
    since: new Date(Date.now() - 2500 + slot),
  })),
  acquisitions: 9,
  contended: 1,
  takeovers,
});

describe("colours", () => {
  test("are wanted on terminals, and as the environment says", () => {
    const cases: [isTerminal: boolean, environment: NodeJS.ProcessEnv, wanted: boolean][] = [
      [true, {}, true],
      [false, {}, false],
      [true, { TERM: "xterm" }, true],
      [true, { TERM: "dumb" }, false],
      [true, { NO_COLOR: "1" }, false],
      [true, { NO_COLOR: "" }, true],
      [false, { FORCE_COLOR: "1" }, true],
      [false, { FORCE_COLOR: "" }, true],
      [true, { FORCE_COLOR: "0" }, false],
      [true, { FORCE_COLOR: "false" }, false],
      [false, { FORCE_COLOR: "3", NO_COLOR: "1", TERM: "dumb" }, true],
    ];
    for (const [isTerminal, environment, wanted] of cases)
      assert.equal(wantsColours(isTerminal, environment), wanted, JSON.stringify([isTerminal, environment]));
  });

  test("have no width, and end although the text is cut off", () => {
    const { red, bold } = colours(true);
    const text = `ab${red("cde")}f`;
    assert.equal(displayWidth(text), 6);
    assert.equal(clip(text, 3), "ab\u001b[31mc\u001b[39m");
    assert.equal(clip(bold("é…😀x"), 3), "\u001b[1mé…😀\u001b[22m");
    assert.equal(clip("abc", 0), "");
    assert.equal(PLAIN.red("x"), "x");
  });

  test("come from us alone", () => {
    assert.equal(printable("a\u001b[2J\u0007\u009b31m\u202eb\u007f"), "a\\x1b[2J\\x07\\x9b31m\\u202eb\\x7f");
    assert.equal(printable("größe 😀 \\x"), "größe 😀 \\x");
  });

  test("appear where they are forced, and only there", async () => {
    const region = await joined("colours");
    for (const [variable, coloured] of [
      ["FORCE_COLOR=1", true],
      ["FORCE_COLOR=0", false],
    ] as const) {
      const [name, value] = variable.split("=");
      process.env[name] = value;
      try {
        assert.equal((await run(["ls", region.name])).text.includes("\u001b[1m"), coloured);
      } finally {
        delete process.env[name];
      }
    }
  });
});

const region = (more: Partial<ListedRegion> = {}): ListedRegion => ({
  name: "app",
  path: "/dev/shm/shmkit.app",
  uid: 0,
  mode: 0o600,
  lifetime: "process",
  createdAt: new Date(0),
  epoch: "e",
  sizeBytes: 2 ** 20,
  maxSizeBytes: 2 ** 30,
  heap: { committedBytes: 2 ** 20, freeBytes: 2 ** 19, usedBlocks: 1, largestFreeBytes: 2 ** 19 },
  members: [],
  objects: [],
  ...more,
});
const listing = (...regions: ListedRegion[]): Listing => ({ regions, unreadable: [] });
const object = { name: "o", createdAt: new Date(0), offsetBytes: 0, lengthBytes: 4096 };
const member = (slot: number, alive = true): RegionInfo["members"][number] => ({
  slot,
  generation: 1,
  pid: 100 + slot,
  threadId: 1,
  label: `m${slot}`,
  joinedAt: new Date(0),
  alive,
  operation: "pipe.send",
});
const pipe = (depth: number, rate: number): ListedRegion["objects"][number] => ({
  ...object,
  kind: "pipe",
  pipe: {
    depth,
    capacity: 8,
    sent: 1,
    received: 1,
    sentBytes: 1,
    receivedBytes: 1,
    redelivered: 0,
    leased: 0,
    highWater: depth,
    waitingSenders: 0,
    waitingReceivers: 0,
    closed: false,
  },
  rates: { sentPerSecond: rate, receivedPerSecond: 0 },
});

describe("the screen of top", () => {
  test("draws sparklines and gauges", () => {
    assert.equal(sparkline([0, 1, 2, 3, 4, 5, 6, 7]), "▁▂▃▄▅▆▇█");
    assert.equal(sparkline([0, 0]), "▁▁");
    assert.equal(sparkline([5, 100], 10), "▅█");
    assert.equal(sparkline([Number.NaN]), " ");
    assert.equal(sparkline([]), "");
    assert.deepEqual(
      [gauge(0, 10), gauge(5, 10), gauge(20, 10), gauge(1, 0)],
      ["░░░░░░░░░░", "█████░░░░░", "██████████", "░░░░░░░░░░"],
    );
  });

  test("shows a region with members, pipes, locks and counters", () => {
    const history = new History();
    const mutex = { ...object, name: "door", kind: "mutex" as const, mutex: held(1, 3, 2) };
    const counter = {
      ...object,
      name: "hits",
      kind: "counter" as const,
      value: 12345n,
      counter: { value: 12345n, waiting: [], takeovers: 0 },
    };
    const ages = [3000, 60_000].map((ms, slot) => ({ slot, since: new Date(Date.now() - ms) }));
    const flag = {
      ...object,
      name: "stop",
      kind: "flag" as const,
      flag: { value: false, waiting: ages, takeovers: 0 },
    };
    const members = [member(0), member(1, false)];
    for (let at = 0; at < 3; at++)
      history.add(listing(region({ members, objects: [pipe(4 * at, 10 * at), mutex] })), at * 1000);
    const shown = listing(region({ members, objects: [pipe(8, 20), mutex, counter, flag] }));
    assert.deepEqual(topLines({ listing: shown, history, nowMs: 5000, colours: PLAIN }), [
      "app  █████░░░░░ 512 KiB of 1 MiB used, at most 1 GiB  1 alive, 1 dead",
      "  slot  pid  member  last operation",
      "  0     100  m0      pipe.send",
      "  1     101  m1      pipe.send       dead",
      "  pipe  depth  of                    in/s  out/s                    leased  state",
      "  o         8   8  ▁▅█                 20      0  ▁▅█                    0",
      "  lock  owner          at least  waiting  longest  takeovers  state",
      "  door  101 m1 (dead)       5 s        2      2 s          3",
      "  counter   value  waiting  longest",
      "  hits     12,345        0",
      "  flag  value  waiting  longest",
      "  stop  false        2    1 min",
    ]);
    assert.deepEqual(topLines({ listing: listing(), history, nowMs: 0, colours: PLAIN }), ["no regions"]);
  });

  test("remembers as many looks as a sparkline has bars, and forgets what is gone", () => {
    const history = new History();
    const some = pipe(1, 1);
    for (let at = 0; at < 40; at++) history.add(listing(region({ objects: [some] })), at);
    assert.equal(history.pipe(region(), some).depths.length, REMEMBERED);
    history.add(listing(), 41);
    assert.deepEqual(history.pipe(region(), some), { depths: [], rates: [] });
  });

  test("knows an owner again by its generation", () => {
    const history = new History();
    const mutex = { ...object, kind: "mutex" as const, mutex: held(0) };
    const heldMs = (generation: number, nowMs: number): number => {
      const seen = region({ members: [{ ...member(0), generation }], objects: [mutex] });
      history.add(listing(seen), nowMs);
      return history.heldMs(seen, mutex, { slot: 0 }, nowMs);
    };
    assert.deepEqual([heldMs(1, 0), heldMs(1, 700), heldMs(2, 900), heldMs(2, 1000)], [0, 700, 0, 100]);
  });

  test("fits into the terminal, and says what is left out", () => {
    const lines = ["one", "two", "three", "four"];
    assert.deepEqual(fit(lines, 0, { columns: 3, rows: 4 }), ["one", "two", "thr", "fou"]);
    assert.deepEqual(fit(lines, 0, { columns: 80, rows: 3 }), ["one", "two", "… 2 more lines: ↓"]);
    assert.deepEqual(fit(lines, 9, { columns: 80, rows: 3 }), ["two", "three", "four"]);
    assert.deepEqual(fit(lines, 0, { columns: 80, rows: 0 }), ["one"]);
  });

  test("is drawn over the last one", () => {
    assert.equal(frameText(["a", "b"]), "\u001b[Ha\u001b[K\nb\u001b[K\u001b[J");
  });
});

describe("top without a terminal", () => {
  test("shows once what moved", async () => {
    const app = await joined("once");
    const jobs = await app.pipe("jobs", { capacity: 10 });
    const guard = await (await app.mutex("door")).lock();
    const showing = run(["top", app.name, "--interval", "1s"]);
    let over = false;
    void showing.then(() => (over = true));
    while (!over) {
      await jobs.send(1);
      await jobs.receive();
      await sleep(1);
    }
    guard.release();
    const { code, text, errors } = await showing;
    assert.equal(errors, "");
    assert.equal(code, 0);
    assert.ok(!text.includes("\u001b"));
    assert.match(text, new RegExp(`^${app.name}  [█░]{10} .* used, at most 1 GiB  1 alive$`, "m"));
    assert.match(text, /^ {2}jobs +\d+ +10 +[▁-█]+ +[1-9][\d,]* +[1-9][\d,]* +█ /m);
    assert.match(text, new RegExp(`^  door +${process.pid} tester +\\d+ m?s +0 +0$`, "m"));
  });

  test("writes a line of JSON after each interval, until it is ended", async () => {
    const app = await joined("json");
    const watching = start(["top", app.name, "--json", "--interval", "20ms"]);
    await until(() => watching.soFar.split("\n").length > 3);
    watching.kill("SIGINT");
    const { text, signal } = await watching.ended;
    assert.equal(signal, "SIGINT");
    for (const line of text.trim().split("\n")) assert.equal((JSON.parse(line) as Listing).regions[0].name, app.name);
    assert.equal((await run(["top", app.name, "--json", "--once", "-i", "20ms"])).text.trim().split("\n").length, 1);
  });
});

describe("top on a terminal", () => {
  const top = (columns: number, rows: number, ...args: string[]): PseudoTerminal =>
    new PseudoTerminal([process.execPath, CLI, "top", "--interval", "50ms", ...args], columns, rows);

  test("draws on the other screen, again and again, and q brings back what was there", async () => {
    const app = await joined("screen");
    await app.counter("hits");
    const terminal = top(100, 20, app.name);
    await terminal.until((text) => text.split("\u001b[H").length > 4);
    terminal.type("q");
    const { shown, ending } = await terminal.ended;
    assert.equal(ending, "cooked code 0");
    assert.ok(shown.startsWith(OTHER_SCREEN));
    assert.ok(shown.endsWith(BACK));
    assert.ok(shown.includes("\u001b[1m"), "in colours");
    assert.match(shown, /hits +0/);
    assert.ok(!shown.includes("\u001b[2J"), "without flicker");
  });

  for (const [how, act, ending] of [
    ["Ctrl-C", (terminal: PseudoTerminal) => terminal.type("\u0003"), "cooked signal 2"],
    ["SIGTERM", (terminal: PseudoTerminal) => terminal.kill("SIGTERM"), "cooked signal 15"],
    ["an error", () => undefined, "cooked code 1"],
  ] as const) {
    test(`${how} ends it, and brings back what was there`, async () => {
      const app = await joined("ended");
      const failing = how === "an error";
      // A look that fails with what nobody expects.
      const preload = `data:text/javascript,import fs from "node:fs"; import { syncBuiltinESMExports } from "node:module"; const { statfsSync } = fs; let left = 3; fs.statfsSync = (path) => { if (left-- === 0) throw new Error("planted"); return statfsSync(path); }; syncBuiltinESMExports();`;
      const terminal = failing
        ? new PseudoTerminal([process.execPath, "--import", preload, CLI, "top", "-i", "20ms", app.name], 80, 20)
        : top(80, 20, app.name);
      if (!failing) await terminal.until((text) => text.split("\u001b[H").length > 2);
      act(terminal);
      const { shown, ending: how_ } = await terminal.ended;
      assert.equal(how_, ending);
      const [, after] = shown.split(BACK);
      assert.ok(after !== undefined, shown);
      if (failing) assert.match(after, /ERR_INTERNAL: Error: planted/);
      else assert.equal(after, "");
    });
  }

  test("follows the size of the terminal", async () => {
    const app = await joined("size");
    for (let at = 0; at < 12; at++) await app.counter(`counter-${at}`);
    const terminal = top(120, 10, app.name, "--interval", "10s");
    await terminal.until((text) => text.includes("more lines"));
    assert.ok(!terminal.shown.includes("counter-11"));
    terminal.resize(120, 40);
    await terminal.until((text) => text.includes("counter-11"));
    terminal.resize(20, 40);
    // The wide picture may come once more before the narrow one does.
    await terminal.until((text) => {
      const last = text.split("\u001b[H").at(-1)!;
      // eslint-disable-next-line no-control-regex -- what is on the screen is what is left without them
      const rows = last.replace(/\u001b\[[\d;?]*[A-Za-z]/g, "").split("\n");
      return last.endsWith("\u001b[J") && rows.every((row) => [...row.trimEnd()].length <= 20);
    });
    terminal.type("q");
    assert.equal((await terminal.ended).ending, "cooked code 0");
  });

  test("scrolls by arrows", async () => {
    const app = await joined("scrolled");
    for (let at = 0; at < 12; at++) await app.counter(`counter-${at}`);
    const terminal = top(100, 8, app.name, "--interval", "10s");
    await terminal.until((text) => text.includes("more lines"));
    for (let press = 0; press < 20; press++) terminal.type("\u001b[B");
    await terminal.until((text) => text.includes("counter-11"));
    terminal.type("q");
    assert.equal((await terminal.ended).ending, "cooked code 0");
  });

  test("Ctrl-Z gives the terminal back until it is continued", async () => {
    const app = await joined("stopped");
    const terminal = top(100, 20, app.name);
    await terminal.until((text) => text.split("\u001b[H").length > 2);
    terminal.type("\u001a");
    await terminal.until((text) => text.endsWith(BACK));
    await until(() => readFileSync(`/proc/${terminal.pid}/stat`, "utf8").includes(") T "));
    terminal.kill("SIGCONT");
    await terminal.until((text) => text.split(OTHER_SCREEN).length === 3 && text.split("\u001b[H").length > 4);
    terminal.type("q");
    const { shown, ending } = await terminal.ended;
    assert.equal(ending, "cooked code 0");
    assert.ok(shown.endsWith(BACK));
  });

  test("a dumb terminal is shown it once", async () => {
    const app = await joined("dumb");
    const command = [process.execPath, CLI, "top", "--interval", "20ms", app.name];
    const { shown, ending } = await new PseudoTerminal(command, 80, 20, { TERM: "dumb" }).ended;
    assert.equal(ending, "cooked code 0");
    assert.ok(!shown.includes("\u001b"));
    assert.ok(shown.includes(app.name));
  });
});
