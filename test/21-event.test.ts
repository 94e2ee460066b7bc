/** Events: a gate that stays open, and one that lets one go on for each setting. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { ShmkitError, type SharedEvent } from "shmkit";
import { BARRIER } from "#src/layout/barrier.js";
import { EVENT } from "#src/layout/event.js";
import { PAGE_BYTES } from "#src/layout/region-header.js";
import { joinRegion } from "./helpers/process-regions.js";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember } from "./helpers/process-member.js";

const code = (code: string) => (error: unknown) => error instanceof ShmkitError && error.code === code;

async function untilWaiting(event: SharedEvent, count: number): Promise<void> {
  while (event.statistics().waits !== count) await pause(1);
}

describe("an event with manual reset", () => {
  test("lets everybody go on until it is reset, and who waited when it was set", async (t) => {
    const app = await joinRegion(t, uniqueRegionName("event-manual"));
    const event = await app.event("e");
    assert.deepEqual([event.isSet, event.tryWait(), event.manualReset], [false, false, true]);
    const waits = Array.from({ length: 1000 }, () => event.wait());
    event.set();
    event.set();
    event.resetSync();
    assert.equal(event.isSet, false);
    await Promise.all(waits);
    await assert.rejects(event.wait({ timeoutMs: 5 }), code("ERR_TIMEOUT"));
    assert.throws(() => event.waitSync({ timeoutMs: 5 }), code("ERR_TIMEOUT"));
    event.set();
    event.waitSync();
    await event.wait();
    assert.equal(event.isSet, true);
    await event.reset();
    assert.equal(event.tryWait(), false);
    assert.equal((await app.event("other", { set: true })).isSet, true);
    await assert.rejects(app.event("e", { manualReset: false }), code("ERR_OPTIONS_DIFFER"));
  });
});

test("what takes a lock is tried, and not while another member is in the middle of something", async (t) => {
  const app = await joinRegion(t, uniqueRegionName("event-try"));
  const event = await app.event("e", { set: true });
  const barrier = await app.barrier("b");
  const words = new Int32Array(app.buffer);
  const tries = [
    [event, EVENT.at.lock, () => event.tryReset()],
    [barrier, BARRIER.at.monitor, () => barrier.tryEnrol()],
  ] as const;
  for (const [object, offset, attempt] of tries) {
    const lock = (object.ref.page * PAGE_BYTES + offset) / 4;
    // As if the member of the next slot were amid a change.
    words[lock] = app.slot + 2;
    assert.equal(attempt(), false);
    words[lock] = 0;
    assert.equal(attempt(), true);
  }
  assert.equal(event.isSet, false);
  assert.deepEqual(barrier.statistics().expected, [app.slot]);
});

describe("an event that resets by itself", () => {
  test("lets one go on for each setting, and keeps one setting for later", async (t) => {
    const app = await joinRegion(t, uniqueRegionName("event-auto"));
    const event = await app.event("e", { manualReset: false, set: true });
    assert.deepEqual([event.tryWait(), event.tryWait()], [true, false]);
    event.set();
    event.set();
    assert.deepEqual([event.tryWait(), event.isSet], [true, false]);
    let gone = 0;
    const waits = Array.from({ length: 5 }, () => event.wait().then(() => gone++));
    event.set();
    event.set();
    while (gone < 2) await pause(1);
    await pause(20);
    assert.equal(gone, 2);
    for (let n = 3; n <= 5; n++) {
      event.set();
      while (gone < n) await pause(1);
    }
    await Promise.all(waits);
    assert.deepEqual(event.statistics(), { isSet: false, manualReset: false, waits: 0, waiting: [] });
    event.set();
    event.resetSync();
    assert.equal(event.tryWait(), false);
  });

  test("loses no setting to who gives up or dies", async (t) => {
    const name = uniqueRegionName("event-killed");
    const app = await joinRegion(t, name);
    const event = await app.event("e", { manualReset: false });
    const other = await ProcessMember.start({ region: name });
    await other.run(async ({ region }) => {
      const event = await region.event("e", { manualReset: false });
      void event.wait();
      void event.wait();
    }, []);
    await untilWaiting(event, 2);
    const own = event.wait();
    await assert.rejects(event.wait({ timeoutMs: 5 }), code("ERR_TIMEOUT"));
    await untilWaiting(event, 3);
    await other.kill();
    event.set();
    await own;
    assert.equal(event.statistics().waits, 0);
    const abort = new AbortController();
    const aborted = event.wait({ signal: abort.signal });
    event.set();
    abort.abort(new Error("enough"));
    await assert.rejects(aborted, /enough/);
    assert.equal(event.tryWait(), true, "the setting is still there");
  });

  test("passes a token on between processes, one at a time", async (t) => {
    const name = uniqueRegionName("event-token");
    const app = await joinRegion(t, name);
    const [there, back] = [
      await app.event("there", { manualReset: false }),
      await app.event("back", { manualReset: false }),
    ];
    const other = await ProcessMember.start({ region: name });
    const echo = other.run(async ({ region }) => {
      const there = await region.event("there", { manualReset: false });
      const back = await region.event("back", { manualReset: false });
      for (let i = 0; i < 100; i++) {
        there.waitSync();
        back.set();
      }
    }, []);
    for (let i = 0; i < 100; i++) {
      there.set();
      await back.wait();
    }
    await echo;
    await other.stop();
    assert.deepEqual([there.isSet, back.isSet], [false, false]);
  });
});
