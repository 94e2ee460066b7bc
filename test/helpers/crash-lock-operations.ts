/** Operations on the lock manager. */
import assert from "node:assert/strict";
import { RequestState, requestState } from "#src/layout/lock-manager.js";
import { LOCKS_NAME, type LockTable } from "#src/sync/lock-table.js";
import { ignore } from "./crash-calls.js";
import type { CrashOperation } from "./crash-explore.js";
import { operation, touchMarker, type Scene, type WorldKind } from "./crash-scene.js";
import type { Actor, World } from "./crash-world.js";
import { lockTable, TestClaim } from "./lock-claims.js";

const SMALL: WorldKind = {
  options: { size: "160KiB", maxSize: "160KiB" },
  furnish: ({ first }) => void first.do(() => lockTable(first.region).detach()),
};
const NAME = "a lock";
const LONG = "a lock of a long name ".repeat(20);

/** The victim and somebody who lives to the end, each with the lock manager. */
class Stage {
  readonly mine: LockTable;
  readonly others: LockTable;

  constructor(readonly world: World) {
    const { other } = this;
    const { victim } = world;
    this.others = other.do(() => lockTable(other.region));
    this.mine = victim.do(() => lockTable(victim.region));
  }

  get other(): Actor {
    return this.world.actors.at(-1)!;
  }

  /** Somebody is in the middle of something. */
  hold(): () => void {
    return this.world.hold(this.others.ref.page * 1024);
  }

  claim(who: "mine" | "others", claim: TestClaim): TestClaim {
    const actor = who === "mine" ? this.world.victim : this.other;
    actor.do(() => this[who].request(claim));
    return claim;
  }

  /** What others hold and wait for goes, and the lock can be had. */
  settled(witness: Actor, ...others: readonly TestClaim[]): void {
    for (const claim of others) {
      this.other.do(() => {
        this.other.bell();
        if (claim.at !== 0 && !claim.told.includes("broken")) this.others.leave(claim);
      });
    }
    const table = lockTable(witness.region);
    const { slot } = this.world.victim;
    if (witness.isAlive(slot)) return;
    for (const name of [NAME, LONG]) {
      const claim = new TestClaim(name, "ifAvailable");
      table.request(claim);
      assert.deepEqual(claim.told, ["granted"], "what the dead one held and waited for is in nobody's way");
      table.leave(claim);
    }
  }

  /** The victim lives: what it has and its books agree, so that it can give up everything. */
  goOn(): void {
    const { victim } = this.world;
    touchMarker(victim);
    victim.bell();
    this.mine.detach();
  }
}

const on = (name: string, covers: readonly string[], prepare: (stage: Stage) => Scene): CrashOperation =>
  operation(`locks ${name}`, covers, SMALL, (world) => prepare(new Stage(world)));

function scene(
  stage: Stage,
  claims: Scene["claims"],
  act: () => unknown,
  others: readonly TestClaim[] = [],
  more: Partial<Scene> = {},
): Scene {
  return {
    act: () => void act(),
    claims,
    object: LOCKS_NAME,
    effect: (witness) => void stage.settled(witness, ...others),
    goOn: () => stage.goOn(),
    ...more,
  };
}

/** A request of the victim, whose errors the claim is told. */
function requests(stage: Stage, claim: TestClaim): void {
  stage.mine.request(claim);
  ignore(claim.error === undefined ? Promise.resolve() : Promise.reject(claim.error));
  if (claim.error !== undefined && stage.world.victim.agent.isStopped) throw claim.error;
}

const never = (): Promise<never> => new Promise(() => undefined);

const OPERATIONS: CrashOperation[] = [
  on("request", ["LockManager.request"], (stage) =>
    scene(stage, ["locks.request"], () => ignore(stage.world.victim.region.locks.request(NAME, never))),
  ),
  on("request by a long name", [], (stage) =>
    scene(stage, ["locks.request"], () => requests(stage, new TestClaim(LONG))),
  ),
  on("request what another has", [], (stage) => {
    const held = stage.claim("others", new TestClaim(NAME));
    // What it did last was to look in vain.
    const act = (): void => requests(stage, new TestClaim(NAME));
    return scene(stage, ["locks.request"], act, [held], { pending: true, refused: true });
  }),
  on("request what cannot be had at once", [], (stage) => {
    const held = stage.claim("others", new TestClaim(NAME));
    const act = (): void => requests(stage, new TestClaim(NAME, "ifAvailable"));
    return scene(stage, ["locks.request"], act, [held], { refused: true });
  }),
  on("request more than there is room for in a segment", [], (stage) => {
    const many = Array.from({ length: 16 }, (_, i) => stage.claim("others", new TestClaim(`n${i}`)));
    return scene(stage, ["locks.request"], () => requests(stage, new TestClaim(LONG)), many);
  }),
  on("request while another is at it", [], (stage) => {
    const settle = stage.hold();
    const act = (): void => {
      requests(stage, new TestClaim(NAME));
      settle();
      stage.world.victim.bell();
    };
    return scene(stage, ["locks.request"], act, [], { settle, pending: true });
  }),
  on("withdraw a request before it could enter", [], (stage) => {
    const settle = stage.hold();
    const act = (): void => {
      const claim = new TestClaim(NAME);
      requests(stage, claim);
      stage.mine.leave(claim);
    };
    return scene(stage, [], act, [], { settle, pending: true });
  }),
  on("take what comes free", [], (stage) => {
    const held = stage.claim("others", new TestClaim(NAME));
    const settle = (): void => {
      if (held.at !== 0) stage.other.do(() => stage.others.leave(held));
      held.at = 0;
    };
    const mine = [new TestClaim(NAME, "wait", true), new TestClaim(NAME, "wait", true)];
    const act = (): void => {
      for (const claim of mine) requests(stage, claim);
      if (!stage.world.victim.agent.isStopped) settle();
      stage.world.victim.bell();
    };
    return scene(stage, [], act, [], { settle, pending: true });
  }),
  on("take what has come free", [], (stage) => {
    const { victim, words } = stage.world;
    const held = stage.claim("others", new TestClaim(NAME));
    const mine = stage.claim("mine", new TestClaim(NAME));
    stage.other.do(() => stage.others.leave(held));
    let isTaken = false;
    const act = (): void => {
      victim.bell();
      victim.membership.member.checkUsable();
    };
    return scene(stage, ["locks.request"], act, [], {
      pending: true,
      atDeath: () => (isTaken = requestState(words[mine.at]) === RequestState.held),
      effect: (witness) => {
        stage.settled(witness);
        return isTaken;
      },
    });
  }),
  on("withdraw a request", [], (stage) => {
    const held = stage.claim("others", new TestClaim(LONG));
    const claim = stage.claim("mine", new TestClaim(LONG));
    const next = stage.claim("others", new TestClaim(LONG));
    return scene(stage, ["locks.release"], () => stage.mine.leave(claim), [held, next], { pending: true });
  }),
  on("release", [], (stage) => {
    const claim = stage.claim("mine", new TestClaim(NAME));
    const next = stage.claim("others", new TestClaim(NAME));
    const effect = (witness: Actor): undefined => {
      stage.other.do(() => stage.other.bell());
      if (!witness.isAlive(stage.world.victim.slot)) assert.deepEqual(next.told, ["granted"]);
      stage.settled(witness, next);
    };
    return scene(stage, ["locks.release"], () => assert.ok(stage.mine.leave(claim)), [], { effect });
  }),
  on("release what has a long name", [], (stage) => {
    const claim = stage.claim("mine", new TestClaim(LONG, "wait", true));
    return scene(stage, ["locks.release"], () => assert.ok(stage.mine.leave(claim)));
  }),
  on("steal", [], (stage) => {
    const robbed = [1, 2].map(() => stage.claim("others", new TestClaim(LONG, "wait", true)));
    const effect = (witness: Actor): undefined => {
      stage.other.do(() => stage.other.bell());
      const told = robbed.map((claim) => claim.told.join());
      assert.ok(new Set(told).size === 1, `all are robbed, or nobody: ${told.join(" ")}`);
      stage.settled(witness, ...robbed);
    };
    return scene(stage, ["locks.request"], () => requests(stage, new TestClaim(LONG, "steal")), [], { effect });
  }),
  on("find a lock stolen", [], (stage) => {
    const claim = stage.claim("mine", new TestClaim(LONG));
    const thief = stage.claim("others", new TestClaim(LONG, "steal"));
    const act = (): void => {
      stage.world.victim.bell();
      stage.world.victim.membership.member.checkUsable();
      assert.deepEqual(claim.told, ["granted", "broken"]);
    };
    return scene(stage, [], act, [thief], { pending: true });
  }),
  on("release what was stolen", [], (stage) => {
    const claim = stage.claim("mine", new TestClaim(NAME));
    const thief = stage.claim("others", new TestClaim(NAME, "steal"));
    const act = (): void => assert.equal(stage.mine.leave(claim), false);
    return scene(stage, ["locks.release"], act, [thief]);
  }),
  on("look", ["LockManager.query"], (stage) => {
    stage.claim("mine", new TestClaim(NAME));
    return scene(stage, [], () => ignore(stage.mine.list()));
  }),
];

export const LOCK_OPERATIONS: readonly CrashOperation[] = OPERATIONS;
