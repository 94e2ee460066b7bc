import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { changed, listFiles, pieces } from "#src/cli/demo/text-files.js";
import { addMessage, countWords, differences, toMessage, total, type Tally } from "#src/cli/demo/word-tally.js";
import { childrenOf, isRunning, run, start, startUntil, until, type CliProcess } from "./helpers/cli-process.js";
import { turnAmongTheDead } from "./helpers/turns.js";

let folder = "";

before(() => {
  folder = mkdtempSync(join(tmpdir(), "shmkit-demo-"));
  const words = Array.from({ length: 40_000 }, (_, i) => `word${(i * 7919) % 5003} größe __proto__ constructor`);
  for (let i = 0; i < 8; i++)
    writeFileSync(join(folder, `text-${i}.md`), words.slice(i * 100).join(i % 2 === 0 ? "\n" : " "));
  writeFileSync(join(folder, "ignored.bin"), "not text");
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** Names that a run of the demo, which has its pid in them, has in shared memory. */
const namesOf = (demo: CliProcess): string[] =>
  readdirSync("/dev/shm").filter((name) => name.startsWith(`shmkit.demo-${demo.pid}-`));

/** The demo in a stage, with its processes. */
async function demoIn(stage: string, part: string): Promise<{ demo: CliProcess; children: number[] }> {
  let children: number[] = [];
  const demo = await startUntil(["demo", "--only", part, folder], (begun) => {
    if (begun.soFar.includes(stage) && namesOf(begun).length > 0) children = childrenOf(begun.pid);
    return children.length > 0;
  });
  return { demo, children };
}

describe("the demo", () => {
  test("verifies its result with a worker killed, and leaves nothing", async () => {
    const demo = start(["demo", "--quick", folder]);
    const { code, text, errors } = await demo.ended;
    assert.equal(errors, "");
    assert.equal(code, 0);
    for (const transport of ["shmkit", "Unix socket", "process.send"])
      assert.match(text, new RegExp(`^ {3}${transport} +[\\d,]+ +[\\d,]+$`, "m"));
    assert.match(text, /the words of 8 files/);
    assert.match(text, /kill -9 worker 2 \(pid \d+\)/);
    assert.match(text, /worker 3 \(pid \d+\) takes its place/);
    const [, redelivered] = /(\d+) delivered again/.exec(text)!;
    assert.ok(Number(redelivered) >= 1);
    assert.match(text, /identical to what one process alone counts/);
    assert.match(text, /spinning +[\d.]+ [µm]s/);
    assert.match(text, /sleeping +[\d.]+ [µm]s/);
    assert.match(text, /Left in \/dev\/shm: nothing/);
    assert.deepEqual(namesOf(demo), []);
  });

  test("fails when the counts differ", async () => {
    // A file that reads differently each time.
    const { code, text, errors } = await run(["demo", "--only", "work", "/proc/sys/kernel/random/uuid"]);
    assert.match(text, /different from what one process alone counts/);
    assert.match(errors, /^shmkit: ERR_VERIFICATION: the counts of \d+ words differ/);
    assert.equal(code, 1);
  });

  test("needs text", async () => {
    const empty = mkdtempSync(join(tmpdir(), "shmkit-demo-"));
    const { code, errors } = await run(["demo", empty]);
    rmSync(empty, { recursive: true });
    assert.equal(code, 4);
    assert.match(errors, /^shmkit: ERR_NOT_FOUND: no \.md, \.ts or \.js file/);
  });

  for (const [stage, part] of [
    ["1. Speed", "speed"],
    ["2. Work", "work"],
  ]) {
    test(`Ctrl-C in ${stage} leaves nothing, and nobody`, async () => {
      const { demo, children } = await demoIn(stage, part);
      demo.kill("SIGINT");
      assert.equal((await demo.ended).signal, "SIGINT");
      assert.deepEqual(namesOf(demo), []);
      assert.deepEqual(children.filter(isRunning), []);
    });

    test(`kill -9 in ${stage} ends its processes, which leave nothing`, async (t) => {
      const { demo, children } = await demoIn(stage, part);
      demo.kill("SIGKILL");
      await demo.ended;
      await until(() => !children.some(isRunning));
      // One that had not joined yet, or was being started, cannot take the region with it: then the next look does.
      await turnAmongTheDead(t);
      while (namesOf(demo).length > 0) await run(["clean"]);
    });
  }
});

describe("its parts", () => {
  test("files are listed with a limit, and changes are seen", () => {
    const { files, bytes, leftOut } = listFiles([folder], Number.POSITIVE_INFINITY);
    assert.deepEqual([files.length, leftOut], [8, 0]);
    const limited = listFiles([folder, join(folder, "ignored.bin")], bytes - 1);
    assert.deepEqual([limited.files.length, limited.leftOut], [8, 1]);
    assert.deepEqual(changed(files), []);
    const path = join(folder, "changing.md");
    writeFileSync(path, "before");
    const [changing] = listFiles([path], 100).files;
    writeFileSync(path, "after that");
    assert.deepEqual(changed([changing]), [path]);
    rmSync(path);
    assert.deepEqual(changed([changing]), [path]);
  });

  test("pieces cut no word and lose nothing", () => {
    const path = join(folder, "long.txt");
    for (const text of [
      "",
      "a",
      `${"ü".repeat(70_000)} ${"b".repeat(70_000)}\nend`,
      "x".repeat(1_100_000),
      "ab ".repeat(60_000),
    ]) {
      writeFileSync(path, text);
      const found = [...pieces(path)];
      assert.equal(Buffer.concat(found).toString(), text);
      if (text.length < 1_000_000)
        for (const piece of found.slice(0, -1)) assert.match(piece.toString().slice(-1), /\s/);
    }
  });

  test("tallies travel and add up, whatever the words are called", () => {
    const text = Buffer.from("__proto__ toString größe größe _a1 constructor, x-y 世界!");
    const tally: Tally = new Map();
    countWords(text, tally);
    assert.equal(total(tally), 9);
    const sum: Tally = new Map([["x", 1]]);
    addMessage(toMessage(0, tally), sum);
    addMessage(toMessage(1, new Map()), sum);
    assert.deepEqual(
      [sum.get("x"), sum.get("größe"), sum.get("__proto__"), sum.get("世界"), sum.size],
      [2, 2, 1, 1, 8],
    );
    assert.deepEqual(differences(tally, tally), []);
    assert.deepEqual(
      differences(
        new Map([
          ["a", 1],
          ["b", 2],
        ]),
        new Map([
          ["b", 3],
          ["c", 1],
        ]),
      ),
      ['"a": 1 and 0', '"b": 2 and 3', '"c": 0 and 1'],
    );
  });
});
