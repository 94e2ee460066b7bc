import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ownSharedMemory, refusal } from "./helpers/namespaces.js";
import { ProcessMember, type Script } from "./helpers/process-member.js";

/** A /dev/shm that is full in earnest: each member has a small one of its own, which its scripts fill. */

/** What the scripts below have at hand. */
interface Tools {
  /** Fills the file system but for so many bytes. */
  readonly fill: (leaveBytes: number) => void;
  /** Gives it back. */
  readonly makeRoom: () => void;
  /** Bytes that are free. */
  readonly free: () => number;
  /** Code of the error that a call ends in, or what it answers. */
  readonly outcome: (call: () => unknown) => Promise<unknown>;
}

const prepare: Script<undefined, void> = async ({ load, kept }) => {
  const fs = (await load("node:fs")) as typeof import("node:fs");
  const { native } = (await load("#src/native/addon.js")) as typeof import("#src/native/addon.js");
  const fillers: string[] = [];
  const free = (): number => {
    const { bavail, bsize } = fs.statfsSync("/dev/shm");
    return bavail * bsize;
  };
  const tools: Tools = {
    free,
    fill(leaveBytes) {
      const path = `/dev/shm/filler-${fillers.length}`;
      const descriptor = native.createExclusive(path, 0o600);
      fillers.push(path);
      if (free() > leaveBytes) native.allocate(descriptor, 0, free() - leaveBytes);
      native.close(descriptor);
    },
    makeRoom() {
      for (const path of fillers.splice(0)) fs.unlinkSync(path);
    },
    async outcome(call) {
      try {
        return await call();
      } catch (error) {
        return (error as { code?: string }).code ?? error;
      }
    },
  };
  kept.set("tools", tools);
};

/** Runs a script in a process with a /dev/shm of its own, which must end well and leave nothing there. */
async function inSmallSpace<R>(options: string, script: Script<undefined, R>): Promise<R> {
  const member = await ProcessMember.start({ through: ownSharedMemory(options) });
  await member.run(prepare);
  const answer = await member.run(script);
  const left = await member.run(async ({ load, kept }) => {
    (kept.get("tools") as Tools).makeRoom();
    return ((await load("node:fs")) as typeof import("node:fs")).readdirSync("/dev/shm");
  });
  assert.deepEqual(left, []);
  assert.deepEqual(await member.finish(), { code: 0, signal: null, output: "" });
  return answer;
}

describe("a full /dev/shm", { skip: refusal(ownSharedMemory("size=1m")) }, () => {
  test("creating beyond it is ERR_NO_SPACE and leaves nothing; what fits can be made", async () => {
    const answer = await inSmallSpace("size=4m", async ({ shmkit, kept }) => {
      const { fill, makeRoom, free, outcome } = kept.get("tools") as Tools;
      const { Region } = shmkit;
      const codes: unknown[] = [];
      const before = free();
      const large = { size: "8MiB", maxSize: "8MiB" };
      codes.push(await outcome(() => Region.create("r", large)));
      codes.push(await outcome(() => Region.createSync("r", large)));
      codes.push(await outcome(() => shmkit.open("r", large)));
      const afterwards = free();
      fill(8192);
      codes.push(await outcome(() => Region.create("r", { size: 4096, maxSize: 4096, maxMembers: 1 })));
      makeRoom();
      const region = await Region.create("r", { size: "2MiB", maxSize: "1GiB" });
      await region.close();
      return { codes, lost: [before - afterwards, before - free()] };
    });
    assert.deepEqual(answer, { codes: Array.from({ length: 4 }, () => "ERR_NO_SPACE"), lost: [0, 0] });
  });

  test("growing beyond it is ERR_NO_SPACE, what is there goes on; with room made it grows", async () => {
    const answer = await inSmallSpace("size=4m", async ({ shmkit, kept }) => {
      const { fill, makeRoom, outcome } = kept.get("tools") as Tools;
      const region = await shmkit.open("r", { size: "512KiB", maxSize: "256MiB", maxMembers: 4 });
      const pipe = await region.pipe("p", { capacity: 4 });
      const codes = [await outcome(() => region.grow("64MiB")), await outcome(() => region.grow("200MiB"))];
      fill(0);
      codes.push(await outcome(() => region.grow(region.sizeBytes + 4096)));
      await pipe.send("works");
      codes.push(await outcome(() => pipe.receive()));
      makeRoom();
      const grown = region.sizeBytes + 65_536;
      codes.push(await outcome(() => region.grow(grown)), region.sizeBytes >= grown);
      // Every byte that counts as backed can be written.
      const end = region.buffer.byteLength - region.maxSizeBytes + region.sizeBytes;
      new Uint8Array(region.buffer, end - region.statistics().largestFreeBytes).fill(1, 0, 65_536);
      await region.close();
      return codes;
    });
    const no = "ERR_NO_SPACE";
    assert.deepEqual(answer, [no, no, no, "works", undefined, true]);
  });

  test("senders wait while something is on its way, else it is ERR_NO_SPACE; nothing is lost", async () => {
    const answer = await inSmallSpace("size=4m", async ({ shmkit, kept }) => {
      const { outcome } = kept.get("tools") as Tools;
      const region = await shmkit.open("r", { size: "256KiB", maxSize: "256MiB", maxMembers: 4 });
      const other = await shmkit.open("r");
      const pipe = await region.pipe<Uint8Array>("p", { capacity: 1000 });
      const theirs = await other.pipe<Uint8Array>("p");
      const message = (number: number): Uint8Array => new Uint8Array(150_000 + number * 1000).fill(number);
      const before = region.statistics().usedBlocks;
      const wrong: unknown[] = [];
      const receiveAll = async (first: number): Promise<number> => {
        let number = first;
        for (let bytes = theirs.tryReceive(); bytes !== undefined; bytes = theirs.tryReceive()) {
          const expected = message(number++);
          if (Buffer.compare(bytes, expected) !== 0) wrong.push(`message ${number - 1}`);
        }
        return number;
      };
      let sent = 0;
      let received = 0;
      const rounds: number[] = [];
      for (let round = 0; round < 3; round++) {
        const first = sent;
        while (pipe.trySend(message(sent))) sent++;
        rounds.push(sent - first);
        wrong.push(await outcome(() => pipe.send(message(sent), { timeoutMs: 20 })));
        wrong.push(await outcome(() => theirs.sendSync(message(sent), { timeoutMs: 20 })));
        // A receiver makes room, and whoever waits is told.
        const waiting = pipe.send(message(sent++));
        received = await receiveAll(received);
        await waiting;
        received = await receiveAll(received);
      }
      // Nothing is on its way: nobody would ever make room, and it does not wait.
      const tooLarge = new Uint8Array(region.sizeBytes + 4096);
      const codes = [
        await outcome(() => pipe.send(tooLarge)),
        await outcome(() => theirs.sendSync(tooLarge)),
        await outcome(() => pipe.trySend(tooLarge)),
        region.statistics().usedBlocks - before,
      ];
      await other.close();
      await region.close();
      return { wrong, rounds, codes };
    });
    const { wrong, rounds, codes } = answer;
    assert.deepEqual(
      wrong,
      Array.from({ length: 6 }, () => "ERR_TIMEOUT"),
    );
    assert.ok(
      rounds.every((count) => count > 5),
      `${rounds.join(", ")} messages fitted`,
    );
    assert.deepEqual(codes, ["ERR_NO_SPACE", "ERR_NO_SPACE", "ERR_NO_SPACE", 0]);
  });

  test("objects: what does not fit is ERR_NO_SPACE, and is made once there is room", async () => {
    const answer = await inSmallSpace("size=2m", async ({ shmkit, kept }) => {
      const { fill, makeRoom, outcome } = kept.get("tools") as Tools;
      const region = await shmkit.open("r", { size: "64KiB", maxSize: "64MiB", maxMembers: 4 });
      fill(0);
      const codes: unknown[] = [];
      let made = 0;
      for (let code: unknown; code === undefined;) {
        code = await outcome(async () => void (await region.counter(`c${made}`)));
        if (code === undefined) made++;
        else codes.push(code);
      }
      codes.push(await outcome(() => region.pipe("p", { capacity: 1000 })));
      const list = region.counters.list().length;
      for (let at = 0; at < made; at++) await (await region.counter(`c${at}`)).add(at);
      makeRoom();
      await region.pipe("p", { capacity: 100 });
      await region.counter("one more");
      const values = await Promise.all(
        region.counters
          .list()
          .slice(0, made)
          .map(async (name) => (await region.counter(name)).value),
      );
      await region.close();
      return { codes, made, list, sum: Number(values.reduce((sum, value) => sum + value, 0n)) };
    });
    assert.deepEqual(answer.codes, ["ERR_NO_SPACE", "ERR_NO_SPACE"]);
    assert.ok(answer.made > 3 && answer.list === answer.made, `${answer.made} of ${answer.list}`);
    assert.equal(answer.sum, (answer.made * (answer.made - 1)) / 2);
  });

  test("a sender waits for room that somebody makes who knows nothing of the region", async () => {
    const answer = await inSmallSpace("size=4m", async ({ shmkit, kept }) => {
      const { fill, makeRoom, outcome } = kept.get("tools") as Tools;
      const region = await shmkit.open("r", { size: "256KiB", maxSize: "256MiB", maxMembers: 4 });
      const pipe = await region.pipe<string | Uint8Array>("p", { capacity: 10 });
      fill(0);
      await pipe.send("on its way");
      const waiting = pipe.send(new Uint8Array(1_000_000).fill(3));
      const codes = [await outcome(() => pipe.sendSync(new Uint8Array(1_000_000), { timeoutMs: 20 }))];
      makeRoom();
      await waiting;
      codes.push(
        await pipe.receive(),
        ((await pipe.receive()) as Uint8Array).every((byte) => byte === 3),
      );
      await region.close();
      return codes;
    });
    assert.deepEqual(answer, ["ERR_TIMEOUT", "on its way", true]);
  });

  test("pages that were given back and cannot be had again: what is backed is used; never a bus error", async () => {
    const answer = await inSmallSpace("size=8m", async ({ shmkit, kept }) => {
      const { fill, makeRoom, free, outcome } = kept.get("tools") as Tools;
      const region = await shmkit.open("r", { size: "4MiB", maxSize: "4MiB", maxMembers: 4 });
      const pipe = await region.pipe<Uint8Array>("p", { capacity: 50, maxLeased: 4 });
      const big = await region.pipe("big", { capacity: 8000 });
      // Behind the big one, so that its pages do not merge with those that are free after it.
      await region.counter("wall");
      const before = free();
      await region.pipes.remove("big");
      big.detach();
      const givenBack = free() - before;
      fill(0);
      const wrong: unknown[] = [];
      const message = (number: number): Uint8Array => new Uint8Array(100_000 + number * 1000).fill(number);
      const receive = async (number: number): Promise<void> => {
        if (Buffer.compare(await pipe.receive(), message(number)) !== 0) wrong.push(`message ${number}`);
      };
      // Often enough to come round to the pages that were given back.
      for (let number = 0; number < 60; number++) {
        const code = await outcome(() => pipe.send(message(number)));
        if (code === undefined) await receive(number);
        else wrong.push(code);
      }
      const fitting = async (): Promise<number> => {
        let count = 0;
        while (count < 50 && (await outcome(() => pipe.trySend(message(count)))) === true) count++;
        for (let number = 0; number < count; number++) await receive(number);
        return count;
      };
      const counts = [await fitting(), await fitting()];
      const largest = region.statistics().largestFreeBytes;
      makeRoom();
      counts.push(await fitting());
      await region.close();
      return { givenBack, wrong, counts, largest };
    });
    assert.ok(answer.givenBack > 1_000_000, `${answer.givenBack} bytes were given back`);
    assert.deepEqual(answer.wrong, []);
    const [first, second, withRoom] = answer.counts;
    assert.ok(first > 10 && second >= first - 1, `${first} and ${second} messages fitted`);
    assert.ok(withRoom > second, `${withRoom} fitted with room, ${second} without`);
  });

  test("no inode left: ERR_NO_SPACE, and members of what is there neither need one nor notice", async () => {
    const answer = await inSmallSpace("size=4m,nr_inodes=3", async ({ shmkit, kept, load }) => {
      const fs = (await load("node:fs")) as typeof import("node:fs");
      const { outcome } = kept.get("tools") as Tools;
      const options = { size: "256KiB", maxSize: "1MiB", maxMembers: 4 };
      const region = await shmkit.Region.create("first", options);
      fs.writeFileSync("/dev/shm/file", "");
      const codes = [
        await outcome(() => shmkit.Region.create("second", options)),
        await outcome(() => shmkit.Region.createSync("second", options)),
        await outcome(() => shmkit.open("second", options)),
      ];
      const other = await shmkit.Region.open("first");
      await (await other.pipe("p")).send(new Uint8Array(500_000));
      codes.push(((await (await region.pipe("p")).receive()) as Uint8Array).length);
      fs.unlinkSync("/dev/shm/file");
      const second = await shmkit.open("second", options);
      for (const one of [second, other, region]) await one.close();
      return codes;
    });
    const no = "ERR_NO_SPACE";
    assert.deepEqual(answer, [no, no, no, 500_000]);
  });
});
