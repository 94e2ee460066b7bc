/** Operations on rate limiters. */
import assert from "node:assert/strict";
import type { RateLimiter } from "shmkit";
import { MONITOR } from "#src/layout/monitor.js";
import { PAGE_BYTES } from "#src/layout/region-header.js";
import { passTime, whileParked } from "../instruments/system.js";
import { handSignal, ignore, refuses } from "./crash-calls.js";
import type { CrashOperation } from "./crash-explore.js";
import { operation, touchMarker, type Scene, type WorldKind } from "./crash-scene.js";
import type { Actor, World } from "./crash-world.js";

const SMALL: WorldKind = { options: { size: "128KiB", maxSize: "128KiB" } };
const NAME = "calls";
const BURST = 3;
/** A token comes in so long. */
const TOKEN_MS = 100;

class Stage {
  readonly mine: RateLimiter;
  readonly others: RateLimiter;

  constructor(readonly world: World) {
    const other = world.actors.at(-1)!;
    const options = { tokens: 1, intervalMs: TOKEN_MS, burst: BURST };
    this.others = other.do(() => other.region.rateLimiters.createSync(NAME, options));
    this.mine = world.victim.do(() => world.victim.region.rateLimiters.openSync(NAME));
  }

  hold(): () => void {
    return this.world.hold((this.others.ref.page * PAGE_BYTES + MONITOR.at.lock) >> 2);
  }

  /** Nothing is there. */
  emptied(): this {
    this.world.actors.at(-1)!.do(() => assert.equal(this.others.tryTake(BURST), true));
    return this;
  }
}

const on = (name: string, covers: readonly string[], prepare: (stage: Stage) => Scene): CrashOperation =>
  operation(`rate limiter ${name}`, covers, SMALL, (world) => prepare(new Stage(world)));

function takes(stage: Stage, count: number, act: () => unknown, more: Partial<Scene> = {}): Scene {
  const before = stage.others.statistics().taken;
  return {
    act: () => void act(),
    claims: ["rate-limiter.take"],
    object: NAME,
    effect: (witness: Actor) => {
      const { taken, waiting, available } = witness.region.rateLimiters.openSync(NAME).statistics();
      if (!witness.isAlive(stage.world.victim.slot))
        assert.deepEqual(waiting, [], "the turn of the dead is given back");
      assert.ok(taken === before || taken === before + count, `${taken - before} tokens, neither none nor ${count}`);
      if (before === 0) assert.ok(available >= BURST - taken, "as many are gone as were taken");
      return taken === before + count;
    },
    goOn: () => {
      touchMarker(stage.world.victim);
      stage.mine.detach();
    },
    ...more,
  };
}

export const RATE_LIMITER_OPERATIONS: readonly CrashOperation[] = [
  on("take", ["RateLimiter.tryTake"], (stage) => takes(stage, 2, () => assert.equal(stage.mine.tryTake(2), true))),
  on("take blocking", ["RateLimiter.takeSync"], (stage) => takes(stage, 3, () => stage.mine.takeSync(3))),
  on("take asynchronously", ["RateLimiter.take"], (stage) => takes(stage, 1, () => ignore(stage.mine.take()))),
  on("take what is not there", ["RateLimiter.tryTake"], (stage) =>
    takes(stage.emptied(), 1, () => assert.equal(stage.mine.tryTake(), false), { refused: true }),
  ),
  on("take while another is at it", ["RateLimiter.takeSync"], (stage) => {
    const settle = stage.hold();
    const act = (): void => {
      whileParked(settle);
      stage.mine.takeSync();
    };
    return takes(stage, 1, act, { settle });
  }),
  on("take when it has come", ["RateLimiter.takeSync"], (stage) =>
    takes(stage.emptied(), 2, () => stage.mine.takeSync(2)),
  ),
  on("take until the deadline", ["RateLimiter.takeSync"], (stage) =>
    takes(stage.emptied(), 2, () => refuses("ERR_TIMEOUT", () => stage.mine.takeSync(2, { timeoutMs: 20 })), {
      refused: true,
    }),
  ),
  on("take asynchronously when it has come", ["RateLimiter.take"], (stage) => {
    const act = (): void => {
      ignore(stage.mine.take());
      passTime(2 * TOKEN_MS);
      stage.world.victim.bell();
    };
    return takes(stage.emptied(), 1, act, { pending: true });
  }),
  on("abort a take", ["RateLimiter.take"], (stage) => {
    const { signal, abort } = handSignal();
    const act = (): void => {
      ignore(stage.mine.take(1, { signal }));
      abort();
    };
    return takes(stage.emptied(), 1, act, { pending: true, refused: true });
  }),
  on("give up the handle", ["RateLimiter.detach"], (stage) =>
    takes(stage, 1, () => stage.mine.detach(), { claims: [], effect: () => undefined }),
  ),
];
