import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { Region } from "shmkit";
import { LineSplitter } from "#src/cli/input.js";
import { Patience } from "#src/cli/patience.js";
import { Stream } from "#src/cli/stream.js";
import { CLI, run, start, until } from "./helpers/cli-process.js";
import { joined, regionName } from "./helpers/cli-regions.js";

const folder = mkdtempSync(join(tmpdir(), "shmkit-cli-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const isThere = (region: string): boolean => Region.inspect(region) !== undefined;
const labels = (region: string): string[] =>
  (Region.inspect(region)?.members ?? []).filter(({ alive }) => alive).map(({ label }) => label);
const pipeOf = (region: string) => Region.inspect(region)?.objects.find(({ kind }) => kind === "pipe")?.pipe;
const lines = (count: number, prefix = "line"): string =>
  Array.from({ length: count }, (_, i) => `${prefix} ${i}\n`).join("");

describe("lines", () => {
  test("arrive as they were sent, the receiver first", async () => {
    const region = regionName();
    const text = `${lines(5000)}Grüße, 世界 🌍\n\n  indented\twith tabs\r\n`;
    const receiving = start(["recv", `${region}/x`]);
    const sent = await run(["send", `${region}/x`], { input: text });
    const received = await receiving.ended;
    assert.deepEqual([sent.code, sent.text, sent.errors], [0, "", ""]);
    assert.deepEqual([received.code, received.errors], [0, ""]);
    assert.equal(received.text, text);
  });

  test("arrive as they were sent, the sender first, from several files", async () => {
    const region = regionName();
    const files = ["a", "b"].map((file) => join(folder, file));
    writeFileSync(files[0], lines(100, "a"));
    writeFileSync(files[1], `${lines(100, "b")}no line end`);
    const sending = start(["send", `${region}/x`, ...files]);
    await until(() => pipeOf(region)?.closed === true);
    const received = await run(["recv", `${region}/x`]);
    assert.equal(received.text, `${lines(100, "a")}${lines(100, "b")}no line end\n`);
    assert.equal((await sending.ended).code, 0);
  });

  test("are cut at their ends, wherever the pieces end", () => {
    const text = `ä\n€uro\n\n🌍 last`;
    const bytes = Buffer.from(text);
    for (let size = 1; size <= bytes.length; size++) {
      const splitter = new LineSplitter();
      const found: string[] = [];
      for (let at = 0; at < bytes.length; at += size) found.push(...splitter.push(bytes.subarray(at, at + size)));
      assert.deepEqual([...found, ...splitter.end()], text.split("\n"));
    }
  });

  test("none at all is a stream as well", async () => {
    const region = regionName();
    const receiving = start(["recv", `${region}/x`]);
    assert.equal((await run(["send", `${region}/x`], { input: "" })).code, 0);
    const { code, text } = await receiving.ended;
    assert.deepEqual([code, text], [0, ""]);
  });

  test("appear while the sender is still at it", async () => {
    const region = regionName();
    const receiving = start(["recv", `${region}/x`]);
    const sending = start(["send", `${region}/x`], { interactive: true });
    sending.write("first\nsec");
    await until(() => receiving.soFar === "first\n");
    sending.write("ond\n");
    await until(() => receiving.soFar === "first\nsecond\n");
    sending.endInput();
    assert.equal((await sending.ended).code, 0);
    assert.equal((await receiving.ended).code, 0);
  });
});

describe("bytes", () => {
  const big = join(folder, "big");
  const content = randomBytes(5 * 2 ** 20 + 12_345);
  writeFileSync(big, content);

  for (const first of ["recv", "send"]) {
    test(`a big file arrives identical, from file to file, ${first} first`, async () => {
      const region = regionName();
      const copy = join(folder, `copy-${first}`);
      const input = openSync(big, "r");
      const output = openSync(copy, "w");
      const commands = {
        recv: () => start(["recv", `${region}/bytes`], { stdout: output }),
        send: () => start(["send", `${region}/bytes`, "--bytes"], { stdin: input }),
      };
      const started = [first as "recv" | "send", first === "recv" ? "send" : "recv"].map((command) =>
        commands[command as "recv" | "send"](),
      );
      for (const { ended } of started) assert.deepEqual([(await ended).code, (await ended).errors], [0, ""]);
      closeSync(input);
      closeSync(output);
      assert.ok(readFileSync(copy).equals(content));
    });
  }

  test("through pipes, and small regions", async () => {
    const region = regionName();
    const receiving = start(["recv", `${region}/bytes`]);
    const sent = await run(["send", `${region}/bytes`, "-b", "--size", "1MiB", "--max-size", "2MiB", big]);
    assert.equal(sent.code, 0, sent.errors);
    const { code, out } = await receiving.ended;
    assert.equal(code, 0);
    assert.ok(out.equals(content));
  });

  test("from standard input that is a pipe", async () => {
    const region = regionName();
    const receiving = start(["recv", `${region}/bytes`]);
    assert.equal((await run(["send", `${region}/bytes`, "--bytes"], { input: content })).code, 0);
    assert.ok((await receiving.ended).out.equals(content));
  });
});

describe("with programs", () => {
  test("values of a program are lines of JSON, its bytes as they are", async () => {
    const region = await joined();
    const pipe = await region.pipe("x");
    const receiving = start(["recv", `${region.name}/x`]);
    await pipe.send({ n: 1, big: 10n ** 47n, bytes: new Uint8Array([1, 2, 3]) });
    await pipe.send("text");
    await pipe.send([null, true, 1.5]);
    await pipe.send(new TextEncoder().encode("raw"));
    await pipe.close();
    const { code, text } = await receiving.ended;
    assert.equal(code, 0);
    assert.equal(text, `{"n":1,"big":"1${"0".repeat(47)}","bytes":"AQID"}\ntext\n[null,true,1.5]\nraw`);
  });

  test("with --json every value is a line of JSON", async () => {
    const region = await joined();
    const pipe = await region.pipe("x");
    const receiving = start(["recv", "--json", `${region.name}/x`]);
    await pipe.send({ n: 1, big: 10n ** 47n, bytes: new Uint8Array([1, 2, 3]) });
    await pipe.send("two\nlines");
    await pipe.send(new Uint8Array([1, 2, 3]));
    await pipe.close();
    const { code, text } = await receiving.ended;
    assert.equal(code, 0);
    assert.equal(text, `{"n":1,"big":"1${"0".repeat(47)}","bytes":"AQID"}\n"two\\nlines"\n"AQID"\n`);
  });

  test("with --json lines are values", async () => {
    const region = await joined();
    const pipe = await region.pipe("x");
    const sending = run(["send", "--json", `${region.name}/x`], { input: '{"a":[1,null]}\n"two\\nlines"\n-1.5' });
    const received: unknown[] = [];
    for await (const value of pipe) received.push(value);
    assert.deepEqual(received, [{ a: [1, null] }, "two\nlines", -1.5]);
    assert.deepEqual([(await sending).code, (await sending).errors], [0, ""]);
  });

  test("a line that is no JSON breaks the stream off, and is named", async () => {
    // A sender that breaks off waits for nobody: alone in a region it would take it along before anybody receives.
    const { name } = await joined();
    const receiving = start(["recv", "--json", `${name}/x`]);
    const { code, errors } = await run(["send", "--json", `${name}/x`], { input: '1\n2\n{"a":\n4\n' });
    assert.equal(code, 1);
    assert.match(errors, /^\{"error":\{"code":"ERR_JSON","message":"line 3 is no JSON: .*","exitCode":1\}\}\n$/);
    const received = await receiving.ended;
    assert.deepEqual([received.code, received.text], [1, "1\n2\n"]);
    assert.match(received.errors, /"code":"ERR_INCOMPLETE"/);
  });

  test("a program receives lines as strings, and bytes as bytes", async () => {
    const region = await joined();
    for (const [options, expected] of [
      [[], ["one", "two"]],
      [["--bytes"], [Uint8Array.from(Buffer.from("one\ntwo\n"))]],
    ] as const) {
      const sending = start(["send", `${region.name}/x`, ...options], { input: "one\ntwo\n" });
      const pipe = await region.pipes.open("x", { wait: true });
      const received: unknown[] = [];
      for await (const message of pipe) received.push(message);
      assert.deepEqual(
        received.map((message) => (message instanceof Uint8Array ? Uint8Array.from(message) : message)),
        expected,
      );
      assert.equal((await sending.ended).code, 0);
      await region.pipes.remove("x");
    }
  });

  test("--keep puts messages into a program's open pipe and leaves it open", async () => {
    const region = await joined();
    const pipe = await region.pipe<string>("jobs", { capacity: 10 });
    assert.equal((await run(["send", "--keep", `${region.name}/jobs`], { input: "a\nb\n" })).code, 0);
    assert.equal(pipe.isClosed, false);
    assert.deepEqual([pipe.tryReceive(), pipe.tryReceive(), pipe.tryReceive()], ["a", "b", undefined]);
    assert.equal((await run(["send", "--capacity", "11", `${region.name}/jobs`], { input: "" })).code, 1);
  });
});

describe("several at a time", () => {
  test("a stream ends with its last sender", async () => {
    const region = regionName();
    const receiving = start(["recv", `${region}/x`]);
    const early = start(["send", `${region}/x`], { interactive: true });
    early.write("early\n");
    await until(() => receiving.soFar === "early\n");
    const second = start(["send", `${region}/x`], { input: lines(100) });
    await until(() => receiving.soFar === `early\n${lines(100)}`);
    assert.equal(receiving.hasEnded, false);
    early.write("late\n");
    early.endInput();
    assert.equal((await early.ended).code, 0);
    assert.equal((await second.ended).code, 0);
    const { code, text } = await receiving.ended;
    assert.deepEqual([code, text], [0, `early\n${lines(100)}late\n`]);
  });

  test("receivers share the messages and all come to the end", async () => {
    const region = regionName();
    const receiving = [start(["recv", `${region}/x`]), start(["recv", `${region}/x`])];
    const sending = start(["send", `${region}/x`], { interactive: true });
    await until(() => labels(region).length === 3);
    sending.write(lines(2000));
    sending.endInput();
    const texts = await Promise.all(
      receiving.map(async ({ ended }) => ((await ended).code === 0 ? (await ended).text : "")),
    );
    assert.deepEqual(texts.join("").split("\n").sort(), lines(2000).split("\n").sort());
    assert.equal((await sending.ended).code, 0);
  });

  test("lines and bytes do not mix", async () => {
    const region = regionName();
    const sending = start(["send", `${region}/x`], { interactive: true });
    await until(() => labels(region).length === 1 && pipeOf(region) !== undefined);
    const other = await run(["send", "--bytes", `${region}/x`], { input: "bytes" });
    assert.equal(other.code, 1);
    assert.match(other.errors, /^shmkit: ERR_OPTIONS_DIFFER: .* carries lines now, not bytes\n$/);
    sending.endInput();
    assert.equal((await run(["recv", `${region}/x`])).code, 0);
    assert.equal((await sending.ended).code, 0);
  });
});

describe("one after the other", () => {
  test("streams of one name follow each other in a region that stays", async () => {
    const region = await joined();
    for (const round of ["first", "second", "third"]) {
      const receiving = start(["recv", `${region.name}/x`]);
      const sent = await run(["send", `${region.name}/x`], { input: `${round}\n` });
      assert.deepEqual([sent.code, sent.errors], [0, ""]);
      const { code, text } = await receiving.ended;
      assert.deepEqual([code, text], [0, `${round}\n`]);
      assert.deepEqual(region.pipes.list(), ["x"]);
      assert.deepEqual(region.mutexes.list(), []);
    }
  });

  test("whoever comes just when the last party leaves is seen by those who come later", async () => {
    const leaving = await joined();
    const coming = await joined("coming", leaving.name);
    const patience = Patience.of("10s", new AbortController().signal);
    const send = (region: Region): Promise<Stream> =>
      Stream.send(region, "x", { content: "lines", endless: false, capacity: undefined, usualCapacity: 4 }, patience);
    const last = await send(leaving);
    await last.finishSending(true, patience);

    let sending: Promise<Stream> | undefined;
    const { mutexes } = leaving;
    const remove = mutexes.remove.bind(mutexes);
    // The other one comes before the mutex goes: it has to wait for it, or would have it now.
    mutexes.remove = async (name, options): Promise<boolean> => {
      const mutex = await coming.mutexes.open(name);
      let isThere = false;
      sending = send(coming).finally(() => (isThere = true));
      await until(() => isThere || mutex.statistics().waiting.length > 0);
      return remove(name, options);
    };
    await last.leave(patience);

    const next = await sending!;
    const receiver = await Stream.receive(leaving, "x", patience);
    await next.waitForReceiver(patience);
    await next.finishSending(true, patience);
    for (const stream of [receiver, next]) assert.equal(await stream.leave(patience), 0);
  });

  test("a stream whose parties were all killed after its end is replaced", async () => {
    const region = await joined();
    const pipe = await region.pipe("x");
    await pipe.close();
    pipe.detach();
    const receiving = start(["recv", `${region.name}/x`]);
    const sent = await run(["send", `${region.name}/x`], { input: "new\n" });
    assert.equal(sent.code, 0);
    assert.equal((await receiving.ended).text, "new\n");
  });

  test("--follow goes on with the next one", async () => {
    const region = regionName();
    const receiving = start(["recv", "--follow", "--count", "3", `${region}/x`]);
    assert.equal((await run(["send", `${region}/x`], { input: "1\n" })).code, 0);
    assert.equal((await run(["send", `${region}/x`], { input: "2\n3\n" })).code, 0);
    const { code, text } = await receiving.ended;
    assert.deepEqual([code, text], [0, "1\n2\n3\n"]);
  });

  test("--keep leaves what was sent, --count takes so many", async () => {
    const region = regionName();
    assert.equal((await run(["send", "--keep", `${region}/x`], { input: lines(3) })).code, 0);
    assert.deepEqual(labels(region), []);
    assert.equal((await run(["send", "-k", `${region}/x`], { input: "more\n" })).code, 0);
    assert.equal((await run(["recv", "--count", "2", `${region}/x`])).text, lines(2));
    assert.equal((await run(["recv", "-n", "2", `${region}/x`])).text, "line 2\nmore\n");
    assert.equal((await run(["rm", region])).code, 0);
  });
});

describe("nothing hangs for ever", () => {
  test("--timeout ends every wait", async () => {
    const waits: [args: string[], what: RegExp][] = [
      [["recv", `${regionName()}/x`], /receiving from .* did not finish within 50ms\n$/],
      [["send", `${regionName()}/x`], /until everything in .* is received: nothing moved for 50ms\n$/],
      [["send", "--capacity", "1", `${regionName()}/x`], /sending to .*: nothing moved for 50ms\n$/],
    ];
    for (const [args, what] of waits) {
      const ended = await run([...args, "--timeout", "50ms"], { input: lines(3) });
      assert.match(ended.errors, /^shmkit: ERR_TIMEOUT: /);
      assert.match(ended.errors, what);
      assert.equal(ended.code, 3);
    }
    const region = await joined();
    assert.equal((await run(["recv", `${region.name}/x`, "-t", "50ms"])).code, 3);
    await region.pipe("x");
    assert.equal((await run(["recv", `${region.name}/x`, "-t", "50ms"])).code, 3);
    // Whoever has what it waits for is told by process.
    const receiving = start(["recv", `${region.name}/x`]);
    await until(() => region.mutexes.list().includes("x (stream)"));
    const guard = await (await region.mutexes.open("x (stream)")).lock();
    const { errors } = await run(["send", `${region.name}/x`, "-t", "50ms"], { input: lines(3) });
    assert.match(errors, new RegExp(`/x did not finish within 50ms; held by pid ${process.pid} tester\n$`));
    guard.release();
    receiving.kill("SIGTERM");
    await receiving.ended;
  });

  test("kill -9 of the sender in the middle: the rest arrives, then exit code 1", async () => {
    const region = regionName();
    const receiving = start(["recv", `${region}/x`]);
    const sending = start(["send", `${region}/x`], { interactive: true });
    sending.write(lines(10));
    await until(() => receiving.soFar === lines(10));
    sending.kill("SIGKILL");
    await sending.ended;
    const { code, text, errors } = await receiving.ended;
    assert.equal(text, lines(10));
    assert.match(errors, /^shmkit: ERR_INCOMPLETE: /);
    assert.equal(code, 1);
  });

  test("kill -9 of the sender before anybody receives", async () => {
    const region = await joined();
    const sending = start(["send", `${region.name}/x`], { interactive: true });
    sending.write(lines(3));
    await until(() => pipeOf(region.name)?.depth === 3);
    sending.kill("SIGKILL");
    await sending.ended;
    const { code, text } = await run(["recv", `${region.name}/x`]);
    assert.deepEqual([code, text], [1, lines(3)]);
  });

  test("kill -9 of the receiver: another one goes on", async () => {
    const region = regionName();
    const first = start(["recv", `${region}/x`]);
    const sending = start(["send", `${region}/x`], { interactive: true });
    sending.write("first\n");
    await until(() => first.soFar === "first\n" && pipeOf(region)?.leased === 0);
    first.kill("SIGKILL");
    await first.ended;
    sending.write("second\n");
    const second = start(["recv", `${region}/x`]);
    await until(() => second.soFar === "second\n");
    sending.write("third\n");
    sending.endInput();
    assert.equal((await sending.ended).code, 0);
    const { code, text } = await second.ended;
    assert.deepEqual([code, text], [0, "second\nthird\n"]);
  });

  for (const signal of ["SIGKILL", "SIGINT"] as const)
    test(`${signal} of a receiver that writes: what it did not write comes to the next one`, async () => {
      const region = regionName();
      const text = lines(50_000);
      const first = start(["recv", `${region}/x`], { unread: true });
      const sending = start(["send", `${region}/x`], { input: text });
      // It has written something, and is in the middle of something else: what it had received at a look, it has not all now.
      let before = 0;
      await until(() => {
        const pipe = pipeOf(region);
        const isSo = pipe !== undefined && pipe.waitingSenders === 1 && pipe.leased > 0 && before > pipe.leased;
        before = pipe?.received ?? 0;
        return isSo;
      });
      first.kill(signal);
      const begun = (await first.ended).text;
      const rest = (await run(["recv", `${region}/x`])).text;
      assert.equal((await sending.ended).code, 0);
      const whole = begun.slice(0, begun.lastIndexOf("\n") + 1);
      assert.ok(whole.length > 0 && text.startsWith(whole), "the beginning is not as sent");
      assert.ok(text.endsWith(rest), "the rest is not as sent");
      assert.ok(whole.length + rest.length >= text.length, `${text.length - whole.length - rest.length} bytes lost`);
    });

  test("a full disk: what could not be written comes to the next receiver", async () => {
    const region = regionName();
    const full = openSync("/dev/full", "w");
    const sending = start(["send", `${region}/x`], { input: lines(3000) });
    const { code, errors } = await run(["recv", `${region}/x`], { stdout: full });
    closeSync(full);
    assert.deepEqual([code, errors], [1, "shmkit: ENOSPC: no space left on device, write\n"]);
    assert.equal((await run(["recv", `${region}/x`])).text, lines(3000));
    assert.equal((await sending.ended).code, 0);
  });

  test("kill -9 of both leaves what the next one cleans up", async () => {
    const region = regionName();
    const parties = [start(["recv", `${region}/x`]), start(["send", `${region}/x`], { interactive: true })];
    await until(() => labels(region).length === 2);
    for (const party of parties) party.kill("SIGKILL");
    await Promise.all(parties.map(({ ended }) => ended));
    const receiving = start(["recv", `${region}/x`]);
    assert.equal((await run(["send", `${region}/x`], { input: "anew\n" })).code, 0);
    const { code, text } = await receiving.ended;
    assert.deepEqual([code, text], [0, "anew\n"]);
  });

  test("the removal of the region in the middle ends the sender", async () => {
    const region = regionName();
    const sending = start(["send", `${region}/x`], { input: "line\n" });
    await until(() => pipeOf(region)?.closed === true);
    assert.equal((await run(["rm", region])).code, 0);
    const { code, errors } = await sending.ended;
    assert.equal(code, 1);
    assert.match(errors, /^shmkit: ERR_CLOSED: the region .* was removed/);
  });
});

describe("ending from outside leaves nothing", () => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    test(`${signal} while waiting`, async () => {
      const region = regionName();
      const waiting = start(["recv", `${region}/x`]);
      const sending = start(["send", `${region}/x`], { interactive: true });
      await until(() => labels(region).length === 2);
      waiting.kill(signal);
      assert.equal((await waiting.ended).signal, signal);
      sending.kill(signal);
      assert.deepEqual(await sending.ended, { code: null, signal, out: Buffer.alloc(0), text: "", errors: "" });
      assert.equal(isThere(region), false);
    });
  }

  test("a shell sees 130 and 143", () => {
    for (const [signal, status] of [
      ["INT", 130],
      ["TERM", 143],
    ] as const) {
      const command = `"${process.execPath}" "${CLI}" recv ${regionName()}/x & sleep 0.5; kill -${signal} $!; wait $!; echo $?`;
      // Without job control a shell's background commands ignore SIGINT.
      assert.equal(spawnSync("bash", ["-mc", command], { encoding: "utf8" }).stdout, `${status}\n`);
    }
  });

  test("Ctrl-C in the middle of a transfer, and the receiver is told", async () => {
    const region = regionName();
    const receiving = start(["recv", `${region}/x`]);
    const sending = start(["send", `${region}/x`], { interactive: true });
    sending.write("begun\n");
    await until(() => receiving.soFar === "begun\n");
    sending.kill("SIGINT");
    assert.equal((await sending.ended).signal, "SIGINT");
    const { code, text, errors } = await receiving.ended;
    assert.deepEqual([code, text], [1, "begun\n"]);
    assert.match(errors, /^shmkit: ERR_INCOMPLETE: /);
  });

  test("Ctrl-C at full speed", async () => {
    const region = regionName();
    const output = openSync("/dev/null", "w");
    const receiving = start(["recv", `${region}/x`], { stdout: output });
    const endless = openSync("/dev/zero", "r");
    const sending = start(["send", "--bytes", `${region}/x`], { stdin: endless });
    await until(() => (pipeOf(region)?.received ?? 0) > 100);
    sending.kill("SIGINT");
    assert.equal((await sending.ended).signal, "SIGINT");
    assert.equal((await receiving.ended).code, 1);
    closeSync(endless);
    closeSync(output);
  });

  test("Ctrl-C while its reader does not read", async () => {
    const region = regionName();
    const receiving = start(["recv", `${region}/x`], { unread: true });
    const endless = openSync("/dev/zero", "r");
    const sending = start(["send", "--bytes", `${region}/x`], { stdin: endless });
    // Full, since nobody takes anything out of the operating system's pipe.
    await until(() => pipeOf(region)?.waitingSenders === 1);
    receiving.kill("SIGINT");
    assert.equal((await receiving.ended).signal, "SIGINT");
    sending.kill("SIGINT");
    assert.equal((await sending.ended).signal, "SIGINT");
    closeSync(endless);
  });

  test("a broken pipe ends the receiver with 141", async () => {
    const region = regionName();
    const sending = start(["send", `${region}/x`], { input: lines(50_000) });
    const command = `"${process.execPath}" "${CLI}" recv ${region}/x | head -1; echo \${PIPESTATUS[0]}`;
    const { stdout, stderr } = spawnSync("bash", ["-c", command], { encoding: "utf8" });
    assert.equal(stdout, "line 0\n141\n");
    assert.equal(stderr, "");
    const rest = await run(["recv", `${region}/x`]);
    assert.equal(rest.code, 0);
    assert.match(rest.text, /line 49999\n$/);
    assert.equal((await sending.ended).code, 0);
  });

  test("a broken pipe ends other commands as well", () => {
    const region = regionName();
    const command = `"${process.execPath}" "${CLI}" --help | true; echo \${PIPESTATUS[0]} ${region}`;
    assert.match(spawnSync("bash", ["-c", command], { encoding: "utf8" }).stdout, /^(0|141) /);
  });
});
