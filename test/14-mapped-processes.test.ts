import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, ftruncateSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { MemoryMappedFile } from "shmkit";
import { sem_init, sem_wait } from "shmkit/posix";
import { LOCK_BASE, MEMBER_LIMIT } from "#src/layout/region-header.js";
import { native } from "#src/native/addon.js";
import { failureOf } from "./helpers/argument-failures.js";
import { run } from "./helpers/cli-process.js";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { listenTo } from "./helpers/spoken.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const children = new Set<ChildProcess>();
after(() => {
  for (const child of children) child.kill("SIGKILL");
});

/** Runs statements with the library in a process of their own; `say` tells that they got so far, and they go on until stopped. */
class Other {
  readonly said: Promise<string>;
  readonly child: ChildProcess;

  constructor(name: string, statements: string) {
    const program = `
      import { MemoryMappedFile } from "shmkit";
      const name = ${JSON.stringify(name)};
      const say = (text) => console.log(text);
      setInterval(() => {}, 1000);
      ${statements}`;
    this.child = spawn(process.execPath, ["--input-type=module", "-e", program], {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "pipe"],
    });
    children.add(this.child);
    this.said = listenTo(this.child).first;
  }

  async kill(): Promise<void> {
    const ended = once(this.child, "close");
    this.child.kill("SIGKILL");
    await ended;
    children.delete(this.child);
  }
}

const pathOf = (name: string): string => `/dev/shm/shmkit-map.${name}`;

describe("memory with a name", () => {
  test("a call that still waits in a closed view keeps nobody from the name", async () => {
    const name = uniqueRegionName("waits");
    const map = MemoryMappedFile.createNewSync(name, 4096);
    const view = map.createViewAccessor();
    const waiting = sem_wait(sem_init(view.bytes, true, 0)).catch((error: unknown) => (error as { code: string }).code);
    const other = openSync(pathOf(name), "r+");
    map.close();
    view.close();
    // Its thread has not ended, so the memory is mapped still, but the locks are free.
    assert.equal(native.lock(other, LOCK_BASE), 0);
    assert.equal(native.probe(other, LOCK_BASE + 1, MEMBER_LIMIT), 0);
    assert.ok(!existsSync(pathOf(name)));
    closeSync(other);
    assert.equal(await waiting, "EINVAL");
  });

  test("three processes write a Boolean each, and A reads them: True, False, True", async () => {
    const name = uniqueRegionName("golden");
    const a = MemoryMappedFile.createNewSync(name, 10_000);
    const view = a.createViewAccessor();
    view.writeInt32(0, 1);
    const write = (position: number, value: boolean): Other =>
      new Other(
        name,
        `const view = (await MemoryMappedFile.openExisting(name)).createViewAccessor(${position}, 1);
        view.writeBoolean(0, ${value});
        say(view.readBoolean(0));`,
      );
    const b = write(1, false);
    const c = write(2, true);
    assert.deepEqual(await Promise.all([b.said, c.said]), ["false", "true"]);
    assert.deepEqual(
      [0, 1, 2].map((position) => view.readBoolean(position)),
      [true, false, true],
    );
    view.close();
    a.close();
    // The others are users as well.
    assert.ok(existsSync(pathOf(name)));
    await b.kill();
    await c.kill();
    assert.equal((await failureOf(() => MemoryMappedFile.openExisting(name))).code, "ERR_NOT_FOUND");
    assert.equal(existsSync(pathOf(name)), false);
  });

  test("is gone with the last process, however that ends, and then can be made anew", async () => {
    const shared = uniqueRegionName("killed");
    const first = new Other(
      shared,
      `const map = MemoryMappedFile.createNewSync(name, 4096); map.createViewAccessor().writeInt8(0, 5); say("made");`,
    );
    await first.said;
    const mine = MemoryMappedFile.openExistingSync(shared);
    const seen = mine.createViewAccessor();
    await first.kill();
    assert.equal(seen.readInt8(0), 5, "its bytes stay for those who have it");
    assert.equal((await failureOf(() => MemoryMappedFile.createNewSync(shared, 1))).code, "ERR_EXISTS");
    const second = new Other(shared, `MemoryMappedFile.openExistingSync(name); say("opened");`);
    await second.said;
    mine.close();
    seen.close();
    assert.ok(existsSync(pathOf(shared)));
    await second.kill();
    const third = MemoryMappedFile.createOrOpenSync(shared, 9);
    assert.equal(third.capacity, 9);
    third.close();
    assert.equal(existsSync(pathOf(shared)), false);

    const name = uniqueRegionName("anew");
    const other = new Other(
      name,
      `MemoryMappedFile.createNewSync(name, 4096).createViewAccessor().writeInt8(0, 5); say("made");`,
    );
    await other.said;
    await other.kill();
    assert.ok(existsSync(pathOf(name)), "nobody has looked since");
    const made = MemoryMappedFile.createNewSync(name, 10);
    const view = made.createViewAccessor();
    assert.deepEqual([view.capacity, view.readInt8(0)], [10, 0]);
    view.close();
    made.close();
    assert.equal(existsSync(pathOf(name)), false);
  });

  test("clean removes what nobody uses, and nothing else", async () => {
    const [dead, alive] = [uniqueRegionName("dead"), uniqueRegionName("alive")];
    const other = new Other(dead, `MemoryMappedFile.createNewSync(name, 10); say("made");`);
    const map = MemoryMappedFile.createNewSync(alive, 10);
    await other.said;
    assert.ok(!MemoryMappedFile.clean().includes(dead));
    await other.kill();
    const removed = MemoryMappedFile.clean();
    assert.ok(removed.includes(dead) && !removed.includes(alive));
    assert.equal(existsSync(pathOf(dead)), false);
    map.close();
  });

  test("processes that make and give up one name at once: each has one that others cannot take away", async () => {
    const name = uniqueRegionName("storm");
    const storm = `let made = 0;
      for (let i = 0; i < 100; i++) {
        const map = MemoryMappedFile.createOrOpenSync(name, 4096);
        const view = map.createViewAccessor();
        const again = MemoryMappedFile.openExistingSync(name);
        const other = again.createViewAccessor();
        view.writeUint16(process.pid % 2048 * 2, i);
        if (other.readUint16(process.pid % 2048 * 2) !== i) throw new Error("another one of the same name");
        for (const each of [view, other, again, map]) each.close();
        made++;
      }
      say(made);`;
    const others = [new Other(name, storm), new Other(name, storm), new Other(name, storm)];
    assert.deepEqual(await Promise.all(others.map(({ said }) => said)), ["100", "100", "100"]);
    for (const other of others) await other.kill();
    // One that was kept from looking when it left has left the name to whoever looks next.
    assert.equal((await failureOf(() => MemoryMappedFile.openExisting(name))).code, "ERR_NOT_FOUND");
    assert.equal(existsSync(pathOf(name)), false);
  });
});

test("shmkit example brighten: two processes brighten parts of a file of 5 GiB", async () => {
  const folder = mkdtempSync(join(tmpdir(), "shmkit-brighten-"));
  try {
    const file = join(folder, "image.data");
    const part = 4 * 2 ** 30;
    const pixels = 1000;
    writeFileSync(file, "");
    const fd = openSync(file, "r+");
    ftruncateSync(fd, 5 * 2 ** 30);
    const endings = await Promise.all([
      run(["example", "brighten", file, "10", String(part), String(pixels * 8)]),
      run(["example", "brighten", file, "20", String(part + pixels * 8), String(pixels * 8)]),
    ]);
    assert.deepEqual(
      endings.map(({ code, text, errors }) => [code, text, errors]),
      [10, 20].map((amount) => [0, `brightened 1,000 pixels by ${amount}\n`, ""]),
    );
    assert.equal((await run(["example", "brighten", file, "32760", String(part + 8), "8"])).code, 0);
    const found = Buffer.alloc(pixels * 16 + 16);
    readSync(fd, found, 0, found.length, part - 8);
    closeSync(fd);
    const channels = Array.from({ length: found.length / 2 }, (_, i) => found.readInt16LE(i * 2));
    const expected = channels.map((_, i) =>
      i < 4 ? 0 : i < 8 ? 10 : i < 12 ? 32767 : i < 4 + 4 * pixels ? 10 : i < 4 + 8 * pixels ? 20 : 0,
    );
    assert.deepEqual(channels, expected);
    assert.equal((await run(["example", "brighten", join(folder, "nothing"), "1"])).code, 4);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
