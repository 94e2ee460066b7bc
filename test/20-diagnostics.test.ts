import assert from "node:assert/strict";
import { channel, subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, test, type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Region, type DiagnosticEvents, type WaitEvent } from "shmkit";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember, until } from "./helpers/process-member.js";
import { joinRegion, SMALL, testRegion } from "./helpers/process-regions.js";

/** What is told on a channel about a region, until the test ends. */
function listen<Name extends keyof DiagnosticEvents>(
  t: TestContext,
  name: Name,
  region: string,
  heard: (event: DiagnosticEvents[Name]) => void = () => undefined,
): DiagnosticEvents[Name][] {
  const events: DiagnosticEvents[Name][] = [];
  const listener = (message: unknown): void => {
    const event = message as DiagnosticEvents[Name];
    if (event.region !== region) return;
    events.push(event);
    heard(event);
  };
  subscribe(name, listener);
  t.after(() => void unsubscribe(name, listener));
  return events;
}

describe("diagnostics channels", () => {
  test("tell of regions that are made, joined and left", async (t) => {
    const name = uniqueRegionName("told");
    const heard = (["create", "attach", "close"] as const).map((what) => listen(t, `shmkit:region:${what}`, name));
    const made = await Region.create(name, SMALL);
    const joined = Region.openSync(name);
    const facts = ({ path, epoch, slot }: Region): object => ({ region: name, path, epoch, slot });
    const expected = [[facts(made)], [facts(joined)], [facts(joined), facts(made)]];
    joined.closeSync();
    await made.close();
    await made.close();
    await turn();
    assert.deepEqual(heard, expected);
  });

  test("tell of growth, asked for or not, when no lock is held any more", async (t) => {
    const region = await testRegion(t, "growth", { size: "256KiB", maxSize: "8MiB" });
    const pipe = await region.pipe("p");
    const sizes: number[] = [];
    const events = listen(t, "shmkit:region:grow", region.name, ({ sizeBytes }) => {
      sizes.push(sizeBytes);
      assert.equal(sizeBytes, region.sizeBytes);
      // Whoever listens may use the region.
      pipe.sendSync(new Uint8Array(20_000));
    });
    await region.grow("2MiB");
    await pipe.send(new Uint8Array(2 ** 21));
    await turn();
    assert.equal(events.length, 2);
    assert.ok(sizes[1] > sizes[0] && sizes[0] >= 2 ** 21);
  });

  test("tell of waits from beginning to end, and how they ended", async (t) => {
    const region = await testRegion(t, "waits");
    const pipe = await region.pipe<number>("p");
    const there = await (await joinRegion(t, region.name)).pipe<number>("p");
    const starts = listen(t, "shmkit:wait:start", region.name);
    const ends = listen(t, "shmkit:wait:end", region.name);
    const told = ({ region, what, sync }: WaitEvent): object => ({ region, what, sync });

    await pipe.send(0);
    await pipe.receive();
    await turn();
    assert.deepEqual([starts, ends], [[], []], "nothing waited");

    const received = pipe.receive();
    assert.equal(starts.length, 1, "told before it waits");
    await there.send(1);
    await received;
    await assert.rejects(pipe.receive({ timeoutMs: 10 }));
    assert.throws(() => pipe.receiveSync({ timeoutMs: 10 }));
    await turn();
    const what = `receiving from ${pipe.address}`;
    const expected = [false, false, true].map((sync) => ({ region: region.name, what, sync }));
    assert.deepEqual(starts.map(told), expected);
    assert.deepEqual(ends.map(told), expected);
    assert.deepEqual(
      ends.map(({ id }) => id),
      starts.map(({ id }) => id),
    );
    assert.equal(new Set(starts.map(({ id }) => id)).size, 3);
    assert.deepEqual(
      ends.map(({ error }) => (error as { code?: string } | undefined)?.code),
      [undefined, "ERR_TIMEOUT", "ERR_TIMEOUT"],
    );
    assert.ok(ends[1].waitedMs >= 9 && ends[2].waitedMs >= 9);
  });

  test("a subscriber takes no rejection off anybody's hands", async () => {
    const member = await ProcessMember.start({ region: uniqueRegionName("unhandled"), options: SMALL });
    const running = member.run(async ({ region, load, sleep }) => {
      const { subscribe } = (await load("node:diagnostics_channel")) as typeof import("node:diagnostics_channel");
      subscribe("shmkit:wait:end", () => undefined);
      const pipe = await region.pipe("p");
      void pipe.receive({ timeoutMs: 10 });
      await sleep(60_000);
    });
    await assert.rejects(running);
    assert.match((await member.ended).output, /ERR_TIMEOUT/);
  });

  test("tell of deaths, and of the recovery by whoever made it", async (t) => {
    const region = await testRegion(t, "death");
    const deaths = listen(t, "shmkit:member:death", region.name);
    const recoveries = listen(t, "shmkit:member:recover", region.name);
    const victim = await ProcessMember.start({ region: region.name, options: { label: "victim" } });
    const slot = region.members().find(({ label }) => label === "victim")?.slot;
    await victim.kill();
    await until(() => deaths.length > 0);
    const [{ death }] = deaths;
    assert.deepEqual([death.label, death.slot, deaths.length], ["victim", slot, 1]);
    assert.deepEqual([recoveries.length, recoveries[0].slot], [1, slot]);
    assert.ok(recoveries[0].durationMs >= 0);
  });

  test("cost nothing that can be seen when nobody listens", async (t) => {
    const region = await testRegion(t, "silent");
    const pipe = await region.pipe("p");
    await pipe.receive({ timeoutMs: 1 }).catch(() => undefined);
    await region.grow("2MiB");
    for (const name of ["region:create", "region:grow", "wait:start", "wait:end", "member:death"])
      assert.equal(channel(`shmkit:${name}`).hasSubscribers, false);
  });
});
