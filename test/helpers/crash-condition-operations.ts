/** Operations on conditions: no wake-up is lost, whoever dies. */
import assert from "node:assert/strict";
import type { Condition, Mutex, MutexGuard } from "shmkit";
import { CONDITION, conditionWakes } from "#src/layout/condition.js";
import { PAGE_BYTES } from "#src/layout/region-header.js";
import { passTime, whileParked } from "../instruments/system.js";
import { handSignal, ignore, refuses } from "./crash-calls.js";
import type { CrashOperation } from "./crash-explore.js";
import { operation, touchMarker, type Scene, type WorldKind } from "./crash-scene.js";
import type { Actor, World } from "./crash-world.js";

const SMALL: WorldKind = { options: { size: "128KiB", maxSize: "128KiB" } };
const SIGNAL = "signal";
const GATE = "gate";

interface Party {
  readonly actor: Actor;
  readonly condition: Condition;
  readonly mutex: Mutex;
}

/** A condition and its mutex, which the victim and somebody who lives to the end have open. */
class Stage {
  readonly victim: Party;
  readonly other: Party;
  private readonly base: number;

  constructor(readonly world: World) {
    this.other = this.party(world.actors.at(-1)!);
    this.victim = this.party(world.victim);
    this.base = this.victim.condition.ref.page * PAGE_BYTES;
  }

  private party(actor: Actor): Party {
    return actor.do(() => ({
      actor,
      condition: actor.region.conditions.openOrCreateSync(SIGNAL),
      mutex: actor.region.mutexes.openOrCreateSync(GATE, { words: 1 }),
    }));
  }

  private word(slot: number): number {
    return this.world.words[(this.base + CONDITION.at.waits) / 4 + slot];
  }

  woken({ actor: { slot } }: Party): number {
    return conditionWakes(this.word(slot));
  }

  /** Whoever lives to the end waits, twice. */
  waitingOther(): this {
    const { actor, condition, mutex } = this.other;
    for (let i = 0; i < 2; i++) actor.do(() => ignore(condition.wait(mutex.tryLock()!)));
    return this;
  }

  held(): MutexGuard {
    return this.world.victim.do(() => this.victim.mutex.tryLock()!);
  }

  /** The victim waits, and is the one whom somebody then wakes. */
  waitingVictim(options?: { signal: AbortSignal }): this {
    const guard = this.held();
    this.world.victim.do(() => ignore(this.victim.condition.wait(guard, options)));
    this.world.words[(this.base + CONDITION.at.cursor) / 4] = this.world.victim.slot;
    return this;
  }
  notify(): void {
    const { actor, condition } = this.other;
    actor.do(() => assert.equal(condition.notifyOne(), true));
  }

  /** Whether the mutex came without a death in it. */
  isClean(witness: Actor): boolean {
    const guard = witness.region.mutexes.openSync(GATE).tryLock();
    assert.ok(guard !== undefined, "the next one gets the mutex");
    guard.release();
    return !guard.abandoned;
  }

  /** The victim has it again. */
  checkHeld(guard: MutexGuard): void {
    const isHeld = this.victim.mutex.isHeldBy(guard);
    this.world.victim.membership.member.checkUsable();
    assert.ok(isHeld, "it has the mutex again");
  }

  detach(): void {
    this.victim.condition.detach();
    this.victim.mutex.detach();
  }

  /** Nothing of the dead is left, and what had woken it has woken somebody else. */
  checkPassedOn(witness: Actor): void {
    if (witness.isAlive(this.world.victim.slot)) return;
    assert.equal(this.word(this.world.victim.slot), 0);
    assert.ok(this.woken(this.other) >= 1, "the wake-up was passed on");
  }
}

const on = (name: string, covers: readonly string[], prepare: (stage: Stage) => Scene): CrashOperation =>
  operation(`condition ${name}`, covers, SMALL, (world) => prepare(new Stage(world)));

const notifies = (stage: Stage, most: number, act: () => unknown): Scene => ({
  act: () => void act(),
  claims: ["condition.notify"],
  object: SIGNAL,
  effect: () => {
    const woken = stage.woken(stage.other);
    assert.ok(woken === 0 || woken >= most, `${woken} were woken`);
    return woken > 0;
  },
});

/** Waits: the mutex is free when the victim has died, or whoever gets it is told. */
function waits(stage: Stage, act: (guard: MutexGuard) => unknown, more: Partial<Scene> = {}): Scene {
  const guard = stage.held();
  return {
    act: () => void act(guard),
    claims: [],
    effect: (witness) => {
      stage.isClean(witness);
      return undefined;
    },
    goOn: () => {
      touchMarker(stage.world.victim);
      stage.detach();
    },
    ...more,
  };
}

/** A wait of the victim that ends, while two others wait: what had woken it wakes one of them. */
function passesOn(stage: Stage, act: () => void, more: Partial<Scene> = {}): Scene {
  return {
    act,
    claims: [],
    effect: (witness) => {
      stage.checkPassedOn(witness);
      return undefined;
    },
    pending: true,
    ...more,
  };
}

export const CONDITION_OPERATIONS: readonly CrashOperation[] = [
  on("notify one", ["Condition.notifyOne"], (stage) =>
    notifies(stage.waitingOther(), 1, () => assert.equal(stage.victim.condition.notifyOne(), true)),
  ),
  on("notify all", ["Condition.notifyAll"], (stage) =>
    notifies(stage.waitingOther(), 2, () => assert.equal(stage.victim.condition.notifyAll(), 2)),
  ),
  on("notify nobody", ["Condition.notifyOne"], (stage) => ({
    act: () => assert.equal(stage.victim.condition.notifyOne(), false),
    claims: ["condition.notify"],
    object: SIGNAL,
    effect: () => undefined,
  })),
  on("begin to wait", ["Condition.wait"], (stage) =>
    waits(stage, (guard) => ignore(stage.victim.condition.wait(guard)), {
      claims: ["condition.wait"],
      object: SIGNAL,
      effect: (witness) => stage.isClean(witness),
      pending: true,
    }),
  ),
  on("begin to wait with what was changed", ["Condition.waitFor"], (stage) =>
    waits(
      stage,
      (guard) => {
        guard.set(0, 7);
        ignore(stage.victim.condition.waitFor(guard, () => false));
      },
      { pending: true },
    ),
  ),
  on("wait blocking", ["Condition.waitSync", "Condition.waitForSync"], (stage) =>
    waits(stage, (guard) => {
      const { actor, condition } = stage.other;
      whileParked(() => void actor.do(() => condition.notifyAll()));
      stage.victim.condition.waitSync(guard);
      stage.checkHeld(guard);
    }),
  ),
  on("wait blocking until the deadline", ["Condition.waitSync"], (stage) =>
    waits(stage, (guard) => {
      refuses("ERR_TIMEOUT", () => stage.victim.condition.waitSync(guard, { timeoutMs: 20 }));
      stage.checkHeld(guard);
    }),
  ),
  on("wait blocking while another takes the mutex", ["Condition.waitSync"], (stage) => {
    const { actor, condition, mutex } = stage.other;
    let taken: MutexGuard | undefined;
    const settle = (): void => {
      if (taken !== undefined) actor.do(() => taken![Symbol.dispose]());
    };
    const act = (guard: MutexGuard): void => {
      whileParked(() => {
        if (taken !== undefined) return settle();
        taken = actor.do(() => mutex.tryLock());
        if (taken !== undefined) actor.do(() => condition.notifyAll());
      });
      stage.victim.condition.waitSync(guard);
    };
    return waits(stage, act, { settle, pending: true });
  }),
  on("be woken", ["Condition.wait"], (stage) => {
    stage.waitingOther().waitingVictim().notify();
    const act = (): void => {
      stage.world.victim.bell();
      if (stage.world.victim.agent.isStopped) return;
      stage.world.victim.membership.member.checkUsable();
      assert.equal(stage.woken(stage.victim), 0, "it took what woke it");
    };
    const effect = (witness: Actor): undefined => {
      // With the mutex it has taken the wake-up; dead after that, it leaves the mutex abandoned instead.
      const { slot } = stage.world.victim;
      if (!witness.isAlive(slot) && stage.woken(stage.other) === 0) assert.equal(stage.isClean(witness), false);
    };
    return passesOn(stage, act, { effect });
  }),
  on("die when woken", ["Condition.wait"], (stage) => {
    stage.waitingOther().waitingVictim().notify();
    return passesOn(stage, () => touchMarker(stage.world.victim));
  }),
  on("abort when woken", ["Condition.wait"], (stage) => {
    const { signal, abort } = handSignal();
    stage.waitingOther().waitingVictim({ signal }).notify();
    const act = (): void => {
      abort();
      if (!stage.world.victim.agent.isStopped) stage.world.victim.membership.member.checkUsable();
    };
    return passesOn(stage, act, {
      effect: () => {
        assert.ok(stage.woken(stage.other) + stage.woken(stage.victim) >= 1, "the wake-up is somewhere");
        return undefined;
      },
    });
  }),
  on("wait asynchronously past the deadline", ["Condition.wait"], (stage) =>
    waits(
      stage,
      (guard) => {
        ignore(stage.victim.condition.wait(guard, { timeoutMs: 5 }));
        passTime(10);
        stage.world.victim.bell();
      },
      { pending: true },
    ),
  ),
  operation("condition made by its name", ["Region.conditionSync", "Region.condition"], SMALL, ({ victim }) => ({
    act: () => void victim.region.conditionSync(SIGNAL),
    claims: ["object.create"],
    object: SIGNAL,
    effect: ({ region }) => region.conditions.list().includes(SIGNAL),
  })),
  on("give up the handle when woken", ["Condition.detach"], (stage) => {
    stage.waitingOther().waitingVictim().notify();
    return passesOn(stage, () => stage.victim.condition.detach());
  }),
];
