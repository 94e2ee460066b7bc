import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { open, type Region } from "shmkit";
import { DIRECTORY_ENTRY } from "#src/layout/heap.js";
import { MEMBER_SLOT, operationCode, OPERATIONS, SLOT_BYTES } from "#src/layout/member-slot.js";
import { PIPE } from "#src/layout/pipe.js";
import { MAGIC_0, MAGIC_1, PAGE_BYTES, REGION_HEADER } from "#src/layout/region-header.js";
import { hasPython } from "./helpers/python.js";
import { uniqueRegionName } from "./helpers/leftovers.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const GENERATOR = "scripts/generate-layout.mjs";
/** The generated files, each with something that only the generator puts there. */
const GENERATED: ReadonlyMap<string, string> = new Map([
  ["interop/c/shmkit_layout.h", " name_hash;"],
  ["interop/python/shmkit_layout.py", '"name_hash"'],
  ["docs/layout.md", "| `nameHash` |"],
]);

const folder = mkdtempSync(join(tmpdir(), "shmkit-layout-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function run(command: string, args: readonly string[], cwd = ROOT) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (error) throw error;
  return { status, output: `${stdout}${stderr}` };
}

/** Compiles one C file that sees the generated header, with every warning an error; answers the program. */
function compile(source: string, name: string): string {
  const [compiler = "cc", ...args] = (process.env.CC ?? "cc").trim().split(/\s+/);
  const program = join(folder, name);
  const flags = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror", `-I${join(ROOT, "interop/c")}`];
  const { status, output } = run(compiler, [...args, ...flags, source, "-o", program]);
  assert.equal(status, 0, output);
  return program;
}

describe("generated files", () => {
  test("they are what the descriptors say", () => {
    assert.deepEqual(run(process.execPath, [GENERATOR, "--check"]), { status: 0, output: "" });
  });

  test("--check names a file that differs, writes nothing, and the generator repairs it", () => {
    const copy = join(folder, "checkout");
    mkdirSync(copy);
    for (const path of ["package.json", GENERATOR, "dist/layout", "dist/base", ...GENERATED.keys()])
      cpSync(join(ROOT, path), join(copy, path), { recursive: true });
    for (const [path, part] of GENERATED) {
      const right = readFileSync(join(copy, path), "utf8");
      const wrong = right.replace(part, part.replace("ash", "osh"));
      assert.notEqual(wrong, right);
      writeFileSync(join(copy, path), wrong);
      const { status, output } = run(process.execPath, [GENERATOR, "--check"], copy);
      assert.equal(status, 1);
      assert.deepEqual(
        [...GENERATED.keys()].filter((candidate) => output.includes(candidate)),
        [path],
      );
      assert.equal(readFileSync(join(copy, path), "utf8"), wrong);
      assert.equal(run(process.execPath, [GENERATOR], copy).status, 0);
      assert.equal(readFileSync(join(copy, path), "utf8"), right);
    }
  });
});

/** Where the fields of a structure are in a region's memory. */
function fieldsOf(buffer: ArrayBuffer | SharedArrayBuffer, at: Readonly<Record<string, number>>, base: number) {
  const view = new DataView(buffer);
  const place = (name: string): number => {
    const offset = at[name];
    assert.ok(offset !== undefined, name);
    return base + offset;
  };
  return {
    word: (name: string) => view.getUint32(place(name), true),
    float: (name: string) => view.getFloat64(place(name), true),
    text: (name: string, bytes: number) => Buffer.from(buffer, place(name), bytes).toString(),
  };
}

test("the descriptors say where a live region has its values", async () => {
  const name = uniqueRegionName();
  const app = await open(name, { maxMembers: 7, label: "näher", size: "1MiB", maxSize: "2MiB" });
  try {
    const pipe = await app.pipe("work", { capacity: 5, maxLeased: 3 });
    for (const message of ["one", "two", "three"]) await pipe.send(message);
    await pipe.receive();

    const header = fieldsOf(app.buffer, REGION_HEADER.at, 0);
    assert.equal(header.word("magic0"), MAGIC_0);
    assert.equal(header.word("magic1"), MAGIC_1);
    assert.equal(header.word("maxMembers"), 7);
    assert.equal(header.float("createdAt"), app.createdAt.getTime());
    assert.equal((header.word("maxPages") - header.word("heapPage")) * PAGE_BYTES, app.maxSizeBytes);

    const table = header.word("memberTablePage") * PAGE_BYTES;
    const slot = fieldsOf(app.buffer, MEMBER_SLOT.at, table + app.slot * SLOT_BYTES);
    assert.equal(slot.word("pid"), process.pid);
    assert.equal(slot.text("label", slot.word("labelBytes")), "näher");
    assert.equal(OPERATIONS[operationCode(slot.word("operation"))], "pipe.receive");

    const entry = fieldsOf(app.buffer, DIRECTORY_ENTRY.at, header.word("directorySegments") * PAGE_BYTES);
    assert.equal(entry.text("name", entry.word("nameBytes")), "work");
    const fields = fieldsOf(app.buffer, PIPE.at, entry.word("page") * PAGE_BYTES);
    assert.deepEqual(
      ["capacity", "maxLeased", "sent", "received", "closed"].map((field) => fields.word(field)),
      [5, 3, 3, 1, 0],
    );
  } finally {
    await app.close();
  }
});

/** A region with something of everything that the readers print, and what they are to print. */
async function withRegion(check: (name: string, expected: string) => void): Promise<void> {
  const name = uniqueRegionName();
  const app: Region = await open(name, { label: "the reader's näme" });
  try {
    const jobs = await app.pipe<number>("jobs 1", { capacity: 10, maxLeased: 4 });
    await app.counter("not a pipe");
    const closed = await app.pipe("geschloßen", { capacity: 2 });
    for (let i = 0; i < 7; i++) await jobs.send(i);
    await jobs.receive();
    await jobs.receive({ lease: true });
    (await jobs.receive({ lease: true })).nack();
    await closed.close();
    const header = new Uint32Array(app.buffer, 0, PAGE_BYTES / 4);
    const committed = header[REGION_HEADER.at.committedPages / 4];
    const largest = header[REGION_HEADER.at.maxPages / 4];
    check(
      name,
      [
        `region ${name} layout 1 pages ${committed} of ${largest}`,
        `member ${app.slot} alive pid ${process.pid} operation pipe.close label the reader's näme`,
        "pipe jobs 1 depth 5 capacity 10 sent 7 received 3 leased 1",
        "pipe geschloßen depth 0 capacity 2 sent 0 received 0 leased 0 closed",
        "",
      ].join("\n"),
    );
    assert.equal(jobs.statistics().depth, 5);
  } finally {
    await app.close();
  }
}

describe("readers in other languages", () => {
  test("the header compiles by itself, without warnings, in every file that includes it", () => {
    const source = join(folder, "twice.c");
    const include = '#include "shmkit_layout.h"\n';
    writeFileSync(source, `${include}${include}int main(void) { return (int)sizeof(struct shmkit_record) - 8; }\n`);
    assert.deepEqual(run(compile(source, "twice"), []), { status: 0, output: "" });
  });

  test("the C reader prints a live region", async () => {
    const program = compile(join(ROOT, "interop/c/example/shmkit_ls.c"), "shmkit_ls");
    await withRegion((name, expected) => {
      assert.deepEqual(run(program, [name]), { status: 0, output: expected });
    });
    const { status, output } = run(program, [uniqueRegionName("missing")]);
    assert.equal(status, 1);
    assert.match(output, /^shmkit_ls: .*No such file/);
  });

  test("the Python reader prints the same", async (context) => {
    if (!hasPython(context)) return;
    await withRegion((name, expected) => {
      const script = join(ROOT, "interop/python/example/shmkit_ls.py");
      assert.deepEqual(run("python3", ["-B", script, name]), { status: 0, output: expected });
    });
  });
});
