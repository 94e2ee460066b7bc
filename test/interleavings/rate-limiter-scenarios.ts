/** Rate limiters: never more than there is, nobody forgotten. Time stands still but for deadlines, which are longer than an interval. */
import assert from "node:assert/strict";
import type { RateLimiter } from "shmkit";
import { PENDING, type Model } from "./linearizability.js";
import { survivor, within, TIMED_OUT, type Role, type Scenario, type Story } from "./scenario.js";
import type { World } from "./world.js";

/** How many were taken while time stood still; later ones are not counted. */
const BURST = 2;
const bucket: Model<number> = {
  initial: BURST,
  step(left, { name }, answer) {
    if (name === "recover") return [left];
    if (answer === PENDING) return [left, left - 1];
    if (name === "try" && answer === false) return [left];
    if (name === "take") return [left, left - 1];
    return left > 0 ? [left - 1] : [];
  },
};

const tries = (name: string, limiter: RateLimiter, times: number): Role => ({
  name,
  run: (call) => {
    for (let i = 0; i < times; i++) call({ name: "try" }, () => limiter.tryTake());
  },
});
/** Waits for what comes, which is there when the clock has moved. */
const takes = (name: string, limiter: RateLimiter): Role => ({
  name,
  hasDeadline: true,
  run: (call) => void call({ name: "take" }, () => within((options) => void limiter.takeSync(1, options)) ?? TIMED_OUT),
});

const on = (name: string, rolesOf: (limiters: RateLimiter[]) => Role[], members: number, deaths = 0): Scenario => ({
  name: `rate-limiter-${name}`,
  algorithm: "rate limiter",
  members,
  deaths,
  tell: (world: World): Story => {
    const options = { tokens: 1, intervalMs: 1000, burst: BURST };
    const limiters = world.members.map(({ region }) => region.rateLimiters.openOrCreateSync("r", options));
    return {
      roles: rolesOf(limiters),
      model: bucket,
      check: (_, { region }) => {
        assert.deepEqual(region.rateLimiters.openSync("r").statistics().waiting, [], "nobody waits");
      },
    };
  },
});

export const RATE_LIMITER_SCENARIOS: readonly Scenario[] = [
  on("burst", ([a, b, c]) => [tries("one", a, 1), tries("two", b, 1), tries("three", c, 1)], 3),
  on("wait", ([a, b]) => [takes("one", a), takes("two", b)], 2),
  on("wait-3", ([a, b, c]) => [takes("one", a), takes("two", b), takes("three", c)], 3),
  on("taker-dies", ([a, b]) => [tries("mortal", a, 2), survivor(tries("other", b, 2))], 2, 1),
];
