/** Rate limiters: tokens that come with time, for all processes together. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ShmkitError, type RateLimiter } from "shmkit";
import { joinRegion } from "./helpers/process-regions.js";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember } from "./helpers/process-member.js";

const code = (code: string) => (error: unknown) => error instanceof ShmkitError && error.code === code;
/** No token comes while a test runs. */
const NEVER_MS = 2 ** 31 - 1;

async function waitingFor(limiter: RateLimiter, count: number): Promise<void> {
  while (limiter.statistics().waiting.length !== count) await new Promise((resolve) => setTimeout(resolve, 1));
}

describe("a rate limiter", () => {
  test("has a burst, and no more before time has passed", async (t) => {
    const app = await joinRegion(t, uniqueRegionName("rate-burst"));
    const limiter = await app.rateLimiter("r", { tokens: 1, intervalMs: NEVER_MS, burst: 3 });
    assert.equal(limiter.tryTake(4 - 1), true);
    assert.equal(limiter.tryTake(), false);
    assert.throws(() => limiter.tryTake(4), code("ERR_OUT_OF_RANGE"));
    assert.throws(() => limiter.takeSync(0), code("ERR_OUT_OF_RANGE"));
    assert.throws(() => limiter.takeSync(1, { timeoutMs: 5 }), code("ERR_TIMEOUT"));
    await assert.rejects(limiter.take(1, { timeoutMs: 5 }), code("ERR_TIMEOUT"));
    const { available, taken, waiting, tokens, intervalMs, burst } = limiter.statistics();
    assert.deepEqual(
      { available, taken, waiting, tokens, intervalMs, burst },
      { available: 0, taken: 3, waiting: [], tokens: 1, intervalMs: NEVER_MS, burst: 3 },
    );
    await assert.rejects(app.rateLimiter("r", { tokens: 2 }), code("ERR_OPTIONS_DIFFER"));
  });

  test("lets no more through than comes, waiting either way", async (t) => {
    const app = await joinRegion(t, uniqueRegionName("rate-time"));
    const limiter = await app.rateLimiter("r", { tokens: 100, intervalMs: 1000, burst: 5 });
    const begun = process.hrtime.bigint();
    await Promise.all(Array.from({ length: 15 }, () => limiter.take()));
    for (let i = 0; i < 5; i++) limiter.takeSync();
    await limiter.take(5);
    const elapsedMs = Number(process.hrtime.bigint() - begun) / 1e6;
    assert.ok(elapsedMs >= 199, `20 tokens beyond the burst take 200 ms, not ${elapsedMs}`);
    assert.equal(limiter.statistics().taken, 25);
  });

  test("is one for all processes, in the order in which they came", async (t) => {
    const name = uniqueRegionName("rate-processes");
    const app = await joinRegion(t, name);
    // The other waits for six seconds: long enough to be seen waiting on a machine that stalls.
    const limiter = await app.rateLimiter("r", { tokens: 1, intervalMs: 3000, burst: 2 });
    await limiter.take(2);
    const other = await ProcessMember.start({ region: name });
    await other.run(async ({ region, kept }) => {
      const limiter = await region.rateLimiter("r");
      kept.set("two", limiter.take(2));
    }, []);
    await waitingFor(limiter, 1);
    assert.equal(limiter.tryTake(), false);
    const mine = limiter.take();
    await waitingFor(limiter, 2);
    assert.deepEqual(
      limiter.statistics().waiting.map(({ slot }) => slot),
      [1, 0],
    );
    await other.kill();
    await mine;
    assert.equal(limiter.statistics().taken, 3, "the dead one took none");
  });

  test("a wait that is aborted takes nothing", async (t) => {
    const app = await joinRegion(t, uniqueRegionName("rate-abort"));
    const limiter = await app.rateLimiter("r", { tokens: 20, intervalMs: 1000, burst: 2 });
    await limiter.take(2);
    const controller = new AbortController();
    const aborted = limiter.take(2, { signal: controller.signal });
    const next = limiter.take();
    controller.abort(new Error("enough"));
    await assert.rejects(aborted, /enough/);
    await next;
    assert.equal(limiter.statistics().taken, 3);
  });

  test("what is further ahead than the bucket is large, as after a restart of the system, counts as empty", async (t) => {
    const app = await joinRegion(t, uniqueRegionName("rate-clock"));
    const limiter = await app.rateLimiter("r", { tokens: 100, intervalMs: 1000, burst: 3 });
    const inside = limiter as unknown as { words: Int32Array; base: number };
    const floats = new Float64Array(inside.words.buffer);
    for (const fullAt of [1e15, Number.NaN, Number.POSITIVE_INFINITY]) {
      floats[(inside.base + 96) / 2] = fullAt;
      assert.equal(limiter.statistics().available, 0);
      await limiter.take();
    }
    floats[(inside.base + 96) / 2] = -1e15;
    assert.equal(limiter.statistics().available, 3);
  });
});
