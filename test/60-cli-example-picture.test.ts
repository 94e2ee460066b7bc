import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { crc32, inflateSync } from "node:zlib";
import { childrenOf, type CliProcess, isRunning, run, start, startUntil, until } from "./helpers/cli-process.js";

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "shmkit-picture-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** A PPM: its size, and three bytes a pixel. */
function readPpm(path: string): { width: number; height: number; rgb: Buffer } {
  const bytes = readFileSync(path);
  const [header, width, height] = /^P6 (\d+) (\d+) 255\n/.exec(bytes.toString("latin1", 0, 64))!;
  return { width: Number(width), height: Number(height), rgb: bytes.subarray(header.length) };
}

/** The same of a PNG, whose every chunk has the right check sum. */
function readPng(path: string): { width: number; height: number; rgb: Buffer } {
  const bytes = readFileSync(path);
  assert.equal(bytes.toString("hex", 0, 8), "89504e470d0a1a0a");
  const chunks = new Map<string, Buffer>();
  for (let at = 8; at < bytes.length;) {
    const end = at + 8 + bytes.readUInt32BE(at);
    assert.equal(bytes.readUInt32BE(end), crc32(bytes.subarray(at + 4, end)));
    chunks.set(bytes.toString("latin1", at + 4, at + 8), bytes.subarray(at + 8, end));
    at = end + 4;
  }
  assert.deepEqual([...chunks.keys()], ["IHDR", "IDAT", "IEND"]);
  const header = chunks.get("IHDR")!;
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  assert.deepEqual([...header.subarray(8)], [8, 2, 0, 0, 0]);
  const rows = inflateSync(chunks.get("IDAT")!);
  assert.equal(rows.length, height * (width * 3 + 1));
  const row = (y: number): Buffer => rows.subarray(y * (width * 3 + 1) + 1, (y + 1) * (width * 3 + 1));
  return { width, height, rgb: Buffer.concat(Array.from({ length: height }, (_, y) => row(y))) };
}

describe("the picture", () => {
  test("is brightened by two processes in its second and third quarter, and nowhere else", async (t) => {
    const folder = join(folderOf(t), "made");
    const { code, text, errors } = await run(["example", "picture", folder, "399", "299"]);
    assert.equal(errors, "");
    assert.equal(code, 0);
    const [head, ...lines] = text.trimEnd().split("\n");
    assert.equal(head, `${folder}/picture.ppm: 399 × 299 pixels`);
    assert.match(lines[0], /^process \d+ brightened rows 74 to 147 by 40$/);
    assert.match(lines[1], /^process \d+ brightened rows 148 to 221 by 80$/);
    assert.equal(lines[2], "all 119,301 pixels are as one process computes them");

    const before = readPng(join(folder, "before.png"));
    const after = readPpm(join(folder, "picture.ppm"));
    assert.deepEqual([before.width, before.height], [399, 299]);
    assert.deepEqual(readPng(join(folder, "after.png")), after);
    const row = (i: number): number => Math.floor(i / 3 / 399);
    const amount = (y: number): number => (y < 74 || y >= 222 ? 0 : y < 148 ? 40 : 80);
    const expected = before.rgb.map((channel, i) => Math.min(255, channel + amount(row(i))));
    assert.ok(after.rgb.equals(expected));
    assert.ok(after.rgb.includes(255), "something is as bright as can be");
  });

  test("may be larger than what is mapped at a time; what is to be looked at is smaller", async (t) => {
    const folder = folderOf(t);
    assert.equal((await run(["example", "picture", folder, "1700", "1200"])).code, 0);
    const [after, png] = [readPpm(join(folder, "picture.ppm")), readPng(join(folder, "after.png"))];
    assert.equal(after.rgb.length, 1700 * 1200 * 3);
    assert.deepEqual([png.width, png.height], [567, 400]);
    // Every third pixel of every third row.
    const pixel = (rgb: Buffer, at: number): string => rgb.toString("hex", at * 3, at * 3 + 3);
    for (let y = 0; y < 400; y += 7)
      for (let x = 0; x < 567; x += 7)
        assert.equal(pixel(png.rgb, y * 567 + x), pixel(after.rgb, y * 3 * 1700 + x * 3));
  });

  for (const signal of ["SIGINT", "SIGTERM"] as const)
    test(`${signal} leaves nothing and nobody`, async (t) => {
      const folder = folderOf(t);
      const args = ["example", "picture", folder, "3000", "2000"];
      let workers: number[] = [];
      const hasWorkers = ({ pid }: CliProcess): boolean => (workers = childrenOf(pid)).length === 2;
      const example = signal === "SIGINT" ? start(args) : await startUntil(args, hasWorkers);
      if (signal === "SIGINT") await until(() => existsSync(join(folder, "picture.ppm")));
      example.kill(signal);
      assert.equal((await example.ended).signal, signal);
      assert.deepEqual(workers.filter(isRunning), []);
      assert.deepEqual(readdirSync(folder), []);
    });

  test("fails when one of its processes is killed", async (t) => {
    const folder = folderOf(t);
    let workers: number[] = [];
    const example = await startUntil(
      ["example", "picture", folder, "3000", "2000"],
      ({ pid }) => (workers = childrenOf(pid)).length === 2,
    );
    process.kill(workers[0], "SIGKILL");
    const { code, errors } = await example.ended;
    assert.equal(code, 1);
    assert.match(errors, new RegExp(`^shmkit: ERR_CHILD: .*pid ${workers[0]}\\) ended with SIGKILL`));
    assert.deepEqual(readdirSync(folder), []);
  });

  test("says what its arguments may be", async () => {
    const { code, errors } = await run(["example", "picture", "folder", "100001", "100"]);
    assert.equal(code, 1);
    assert.match(errors, /at most 100000 pixels, not 100001/);
  });
});
