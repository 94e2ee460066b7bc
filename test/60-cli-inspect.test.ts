import assert from "node:assert/strict";
import { readFileSync, symlinkSync, writeFileSync, rmSync } from "node:fs";
import { describe, test } from "node:test";
import { Region, ShmkitError } from "shmkit";
import { COMMANDS } from "#src/cli/command-table.js";
import { parse } from "#src/cli/command.js";
import { byteRange, HexDump } from "#src/cli/hex-dump.js";
import { Terminal } from "#src/cli/terminal.js";
import { treeLines } from "#src/cli/tree.js";
import { run } from "./helpers/cli-process.js";
import { joined, regionName } from "./helpers/cli-regions.js";
import { Random } from "./helpers/process-random.js";
import { turnAmongTheDead } from "./helpers/turns.js";

describe("hex dumps", () => {
  test("look as hexdump -C, and repeated lines are one star", () => {
    const dump = new HexDump(0x1000);
    assert.deepEqual(dump.lines(Buffer.from("SHMKIT\r\n\0abcdefgh")), [
      "0x00001000  53 48 4d 4b 49 54 0d 0a  00 61 62 63 64 65 66 67  |SHMKIT...abcdefg|",
      "0x00001010  68                                                |h|",
    ]);
    assert.equal(dump.end(), "0x00001011");
    const zeroes = new HexDump(0);
    const lines = [...zeroes.lines(new Uint8Array(64)), ...zeroes.lines(new Uint8Array(64))];
    assert.equal(lines.length, 2);
    assert.equal(lines[1], "*");
    assert.equal(zeroes.end(), "0x00000080");
  });

  test("are of ranges in decimal and hexadecimal", () => {
    assert.deepEqual(byteRange("0x1000:0X10", "--hex"), { offset: 4096, length: 16 });
    assert.deepEqual(byteRange("12:34", "--hex"), { offset: 12, length: 34 });
    assert.deepEqual(byteRange("12:", "--hex"), { offset: 12, length: Number.POSITIVE_INFINITY });
    for (const text of ["", "12", ":", ":5", "-1:5", "1:2:3", "0x:1", "1:0x", "99999999999999999:1", "1 : 2"])
      assert.throws(() => byteRange(text, "--hex"), /--hex must be OFFSET:LENGTH/, text);
  });
});

test("trees are drawn as tree(1) draws them", () => {
  const branches = [
    { text: "a", branches: [{ text: "b" }, { text: "c" }] },
    { text: "d", branches: [{ text: "e" }] },
  ];
  assert.deepEqual(treeLines({ text: "x", branches }), ["x", "├─ a", "│  ├─ b", "│  └─ c", "└─ d", "   └─ e"]);
});

describe("inspect", () => {
  test("shows members, objects and the map of memory as a tree, and as JSON", async () => {
    const region = await joined("tree");
    const pipe = await region.pipe("jobs", { capacity: 10 });
    await pipe.send(new Uint8Array(20_000));
    await (await region.counter("visits")).add(41n);
    await (await region.mutex("door")).lock();
    const { text, errors, code } = await run(["inspect", region.name]);
    assert.equal(errors, "");
    assert.equal(code, 0);
    assert.ok(!text.includes("\u001b"));
    assert.match(text, new RegExp(`^${region.name}\n├─ path +/dev/shm/shmkit.${region.name}\n`));
    assert.match(text, new RegExp(`^│  └─ +0 +${process.pid} +\\d+  tester +yes +.* ago +\\w`, "m"));
    assert.match(text, /^├─ objects \(3\)\n│ {2}├─ pipe jobs\n│ {2}│ {2}├─ made +\d+ m?s ago\n/m);
    assert.match(text, /│ {2}├─ depth +1\n/);
    assert.match(text, /counter visits\n(?:│.*\n)*│ {2}│ {2}├─ value +41\n/);
    assert.match(text, new RegExp(`held +by member 0, pid ${process.pid} tester\n`));
    assert.match(text, /├─ 0x00000000 +4 KiB {2}header\n/);
    assert.match(text, /KiB {2}object jobs\n/);
    assert.match(text, new RegExp(`KiB  block of member 0 \\(pid ${process.pid}\\)\n`));
    assert.match(text, /└─ 0x\w+ +.* {2}not backed yet\n$/);

    const json = JSON.parse((await run(["inspect", region.name, "--json"])).text) as {
      name: string;
      objects: { name: string; value?: string }[];
      memory: { use: string }[];
    };
    assert.equal(json.name, region.name);
    assert.equal(json.objects.find(({ name }) => name === "visits")!.value, "41");
    assert.ok(json.memory.some(({ use }) => use === "object"));
  });

  test("shows how objects of every kind are, as ls and top do", async () => {
    const region = await joined("states");
    await (await region.flag("stop")).set();
    await region.event("bell");
    await region.event("turnstile", { manualReset: false, set: true });
    await (await region.semaphore("gpus", { permits: 1003 })).acquire();
    (await region.latch("ready", { count: 3 })).countDown();
    const meeting = await region.barrier("start", { parties: 3 });
    const arriving = meeting.wait();
    const other = await joined("states", region.name);
    await (await other.barriers.open("start")).enrol();
    await (await region.doOnce("schema")).run(() => undefined);
    await region.doOnce("index");
    await (await region.rateLimiter("calls", { tokens: 5, intervalMs: 600_000 })).take(2);
    const pool = await region.segmentPool("buffers", { segments: 4, segmentBytes: 4096 });
    await pool.acquire();
    await (await region.mutex("door")).lock();
    const [inspected, listed, topped] = await Promise.all([
      run(["inspect", region.name]),
      run(["ls", region.name, "--interval", "0"]),
      run(["top", region.name, "--once", "--interval", "20ms"]),
    ]);
    /** The rows of an object in the tree, those that say where and since when left out. */
    const rows = (heading: string): string[] => {
      const [, behind] = inspected.text.split(` ${heading}\n`);
      assert.ok(behind !== undefined, heading);
      const own = behind.split("\n").map((line) => /^[│ ]+[├└]─ (?!made|block)(\w.*)$/.exec(line)?.[1]);
      const end = behind.split("\n").findIndex((line) => !/^│ {2}[│ ] {2}[├└]─/.test(line));
      return own.slice(0, end).flatMap((row) => row?.replace(/ {2,}/, ": ") ?? []);
    };
    const me = `member 0, pid ${process.pid} tester`;
    assert.deepEqual(rows("flag stop"), ["value: true", "waiting: nobody", "takeovers: 0"]);
    assert.deepEqual(rows("event bell"), ["set: no", "reset: manual", "waiting: nobody"]);
    assert.deepEqual(rows("event turnstile"), ["set: yes", "reset: automatic", "waiting: nobody"]);
    assert.deepEqual(rows("semaphore gpus").slice(0, 3), ["available: 1,002", "contended: 0", `held: by ${me}`]);
    assert.deepEqual(rows("latch ready"), ["remaining: 2", "held: no", "waiting: nobody"]);
    assert.deepEqual(rows("barrier start").slice(0, 5), [
      "parties: 3",
      "generation: 0",
      "arrived: 1",
      `expects: member 1, pid ${process.pid} tester`,
      "expects: 1 more, yet to come",
    ]);
    assert.deepEqual(rows("once schema")[0], "done: yes");
    assert.deepEqual(rows("once index")[0], "done: no");
    assert.deepEqual(rows("rate-limiter calls"), [
      "available: 3 of 5",
      "rate: 5 every 600,000 ms",
      "taken: 2",
      "waiting: nobody",
    ]);
    assert.deepEqual(rows("segment-pool buffers").slice(0, 4), [
      "segments: 4 of 4 KiB",
      "free: 3",
      "handed over: 0",
      "acquired: 1",
    ]);
    assert.deepEqual(rows("mutex door").slice(0, 3), ["acquisitions: 1", "contended: 0", `held: by ${me}`]);
    for (const [line, row] of [
      ["flag stop = true", "stop +true +0"],
      ["event bell (not set)", "bell +0 +0 +not set"],
      ["event turnstile (set)", "turnstile +0 +0 +set"],
      [`semaphore gpus (1,002 available, held by pid ${process.pid} tester)`, "gpus .* 1,002 available"],
      ["latch ready (2 to go)", "ready +0 +0 +2 to go"],
      ["barrier start (1 of 3 arrived, 1 waiting)", "start +1 .*1 of 3 arrived"],
      ["once schema (done)", "schema +0 +0 +done"],
      ["once index (not done)", "index +0 +0 +not done"],
      ["rate-limiter calls (3 of 5)", "calls +0 +0 +3 of 5"],
      [`segment-pool buffers (3 of 4 free, held by pid ${process.pid} tester)`, "buffers .* 3 of 4 free"],
    ]) {
      assert.ok(listed.text.includes(`  ${line}\n`), line);
      assert.match(topped.text, new RegExp(`^  ${row}$`, "m"));
    }
    const ended = assert.rejects(arriving, { code: "ERR_CLOSED" });
    await region.close();
    await ended;
  });

  test("shows one object", async () => {
    const region = await joined("one");
    await region.pipe("jobs", { capacity: 10 });
    await (await region.counter("visits")).add(10n ** 18n);
    const { text } = await run(["inspect", `${region.name}/visits`]);
    assert.match(
      text,
      /^counter visits\n├─ made .*\n├─ block +0x\w+, 4 KiB\n├─ value +1,000,000,000,000,000,000\n├─ waiting +nobody\n└─ takeovers +0\n$/,
    );
    assert.deepEqual(
      Object.entries(JSON.parse((await run(["inspect", `${region.name}/visits`, "-j"])).text) as object)
        .filter(([key]) => ["region", "name", "kind", "value"].includes(key))
        .map(([, value]) => value as unknown),
      [region.name, "visits", "counter", (10n ** 18n).toString()],
    );
    const missing = await run(["inspect", `${region.name}/nothing`]);
    assert.equal(missing.code, 4);
    assert.match(missing.errors, /ERR_NOT_FOUND: there is no .*\/nothing; shmkit inspect .* shows what there is/);
  });

  test("--hex shows bytes of the file, and of an object's own block", async () => {
    const region = await joined("hex");
    const counter = await region.counter("visits");
    await counter.set(0x1122334455667788n);
    const header = await run(["inspect", region.name, "--hex", "0:16"]);
    assert.match(
      header.text,
      /^0x00000000 {2}53 48 4d 4b 49 54 0d 0a {2}01 00 00 00 04 03 02 01 {2}\|SHMKIT.*\|\n0x00000010\n$/,
    );
    const block = Region.inspect(region.name)!.objects[0];
    const value = await run(["inspect", `${region.name}/visits`, "--hex", "64:8"]);
    assert.match(value.text, / {2}88 77 66 55 44 33 22 11 /);
    assert.ok(value.text.startsWith(`0x${(block.offsetBytes + 64).toString(16).padStart(8, "0")}`));
    const json = JSON.parse((await run(["inspect", `${region.name}/visits`, "--hex", "0x40:8", "--json"])).text) as {
      offsetBytes: number;
      lengthBytes: number;
      bytes: string;
    };
    assert.equal(json.offsetBytes, block.offsetBytes + 64);
    assert.equal(json.lengthBytes, 8);
    assert.equal(Buffer.from(json.bytes, "base64").readBigInt64LE(), 0x1122334455667788n);
    // To the end, and not beyond the object's own pages.
    const all = JSON.parse((await run(["inspect", `${region.name}/visits`, "-x", "0:", "-j"])).text) as {
      bytes: string;
    };
    const file = readFileSync(region.path).subarray(block.offsetBytes, block.offsetBytes + block.lengthBytes);
    assert.ok(Buffer.from(all.bytes, "base64").equals(file));
    const beyond = await run(["inspect", `${region.name}/visits`, "--hex", `${block.lengthBytes}:1`]);
    assert.equal(beyond.code, 2);
    assert.match(beyond.errors, /ERR_USAGE: there is nothing at/);
  });

  test("--hex shows the bytes of what is no region, and follows no link", async () => {
    const broken = regionName("broken");
    writeFileSync(`/dev/shm/shmkit.${broken}`, "no region at all");
    assert.match((await run(["inspect", broken, "--hex", "0:"])).text, /\|no region at all\|/);
    rmSync(`/dev/shm/shmkit.${broken}`);
    symlinkSync("/etc/hostname", `/dev/shm/shmkit.${broken}`);
    const link = await run(["inspect", broken, "--hex", "0:"]);
    assert.equal(link.code, 1);
    assert.match(link.errors, /^shmkit: ELOOP: /);
    rmSync(`/dev/shm/shmkit.${broken}`);
    assert.equal((await run(["inspect", broken, "--hex", "0:"])).code, 4);
  });

  test("a label with control characters does no harm to a terminal", async () => {
    const region = await joined("label");
    const label = new Uint8Array(region.buffer).subarray(4096 + 192, 4096 + 192 + 6);
    label.set(Buffer.from("\u001b[31m\n"));
    new Int32Array(region.buffer)[1024 + 8] = 6;
    for (const name of ["inspect", "ls", "top"]) {
      const { text, code } = await run([name, region.name]);
      assert.equal(code, 0);
      assert.ok(!text.includes("\u001b"), name);
    }
    assert.match((await run(["inspect", region.name])).text, /\\x1b\[31m\\x0a/);
  });

  test("damaged regions are shown, or end in a typed error", async (t) => {
    await turnAmongTheDead(t);
    const region = await Region.create(regionName("damaged"), { size: "256KiB", maxSize: "1MiB", maxMembers: 8 });
    const pipe = await region.pipe("jobs", { capacity: 4 });
    await pipe.send(new Uint8Array(20_000));
    await region.counter("visits");
    await region.mutex("door");
    const original = readFileSync(region.path);
    const { memory } = Region.inspect(region.name, { memory: true })!;
    await region.close();
    const heapPage = original.readInt32LE(68);
    // Where a word matters: the beginning of each structure, and of the page map where the heap begins in it.
    const places = memory!
      .filter(({ use }) => ["header", "members", "pageMap", "directory", "object"].includes(use))
      .map(({ use, offsetBytes }) => offsetBytes + (use === "pageMap" ? heapPage * 8 : 0));
    const { signal } = new AbortController();
    const copy = regionName("copy");
    let shown = 0;
    let refused = 0;
    let length = 0;
    const terminal = new Terminal(signal, () => undefined);
    terminal.write = (data) => {
      length += data.length;
      return Promise.resolve();
    };
    for (let seed = 1; seed <= 100; seed++) {
      const random = new Random(seed);
      const bytes = Buffer.from(original);
      for (let hit = 0; hit <= random.below(4); hit++) {
        const at = random.of(places) + 4 * random.below(24);
        const values = [0, -1, 1, 0x7fffffff, random.below(2 ** 31), bytes.readInt32LE(at) ^ (1 << random.below(31))];
        bytes.writeInt32LE(random.of(values), at);
      }
      writeFileSync(`/dev/shm/shmkit.${copy}`, bytes);
      const lines: [name: string, ...args: string[]][] = [
        ["inspect", copy],
        ["inspect", copy, "--json"],
        ["inspect", `${copy}/jobs`],
        ["inspect", copy, "--hex", "0:64"],
        ["ls", copy, "--interval", "0"],
        ["clean", "--dry-run"],
        ...(seed % 8 === 0 ? ([["top", copy, "--once", "-i", "10ms"]] as [string, ...string[]][]) : []),
      ];
      for (const [name, ...args] of lines) {
        length = 0;
        const { command } = await COMMANDS[name]();
        try {
          await command.run(parse(command, args, signal, terminal));
          assert.ok(length > 0);
          shown++;
        } catch (error) {
          const typed = error instanceof ShmkitError || (error as { exitCode?: number }).exitCode === 4;
          assert.ok(typed, `seed ${seed}, ${name} ${args.join(" ")}: ${(error as Error).stack}`);
          refused++;
        }
      }
    }
    rmSync(`/dev/shm/shmkit.${copy}`);
    assert.ok(shown > 50 && refused > 50, `${shown} shown, ${refused} refused`);
  });
});
