/** Attaching to regions, leaving them, making them and taking their names away. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { Region, type RegionOptions } from "shmkit";
import { DiskState, PAGE_BYTES, REGION_HEADER, RegionState } from "#src/layout/region-header.js";
import { clean } from "#src/region/attach.js";
import { runSync } from "#src/memory/steps.js";
import { Agent } from "../instruments/agent.js";
import { dispose, system } from "../instruments/system.js";
import { ignore, refuses } from "./crash-calls.js";
import type { Attempt, CrashOperation, Fate, Rescuer } from "./crash-explore.js";
import { bytes, object, PipeStage } from "./crash-messages.js";
import { operation, touchMarker, useEverything, worldOf, type Scene, type WorldKind } from "./crash-scene.js";
import type { Actor, World } from "./crash-world.js";
import { readWord, writeWord } from "./disk-regions.js";
import { uniqueRegionName } from "./leftovers.js";

const SMALL: RegionOptions = { size: "128KiB", maxSize: "128KiB" };
const FULL: WorldKind = { options: SMALL };
const WITH_ROOM: WorldKind = { options: { ...SMALL, maxMembers: 5 } };

// Leaving, while others stay.

/** The victim holds one of everything. */
function holdEverything(world: World): PipeStage {
  const { victim } = world;
  const stage = new PipeStage(world, { capacity: 4, maxLeased: 3 });
  stage.fill(bytes(1, 20), bytes(2, 6000), object(3)).giveBack();
  victim.do(() => {
    assert.ok(stage.mine.tryReceive({ lease: true }));
    assert.ok(stage.mine.tryReceive({ lease: true }));
    const guard = victim.region.mutexes.createSync("held", { words: 2 }).tryLock()!;
    guard.set(0, 1);
    guard.commit();
    guard.set(1, 2);
    victim.region.counters.createSync("gone");
  });
  world.first.do(() => world.first.region.counters.removeSync("gone"));
  return stage;
}

/** Whatever it held has passed on, whether it left or died on the way. */
function left(world: World, witness: Actor): void {
  assert.equal(world.audit(witness).objects, 3, "what it alone had of removed objects is free");
  const pipe = witness.region.pipes.openSync("letters");
  const values = [pipe.tryReceive(), pipe.tryReceive(), pipe.tryReceive()];
  assert.deepEqual(values, [bytes(1, 20).value, bytes(2, 6000).value, object(3).value]);
  const guard = witness.region.mutexes.openSync("held").tryLock();
  assert.deepEqual([guard?.get(0), guard?.get(1)], [1, 0], "what was not committed is undone");
  guard!.release();
}

function leaves(world: World, leave: (region: Region) => void): Scene {
  holdEverything(world);
  const { region } = world.victim;
  return {
    act: () => leave(region),
    claims: [],
    effect: (witness) => {
      left(world, witness);
      return undefined;
    },
    goOn: () => region.closeSync(),
  };
}

const LEAVING: CrashOperation[] = [
  operation("region close", ["Region.closeSync"], FULL, (world) => leaves(world, (region) => region.closeSync())),
  operation("region close asynchronously", ["Region.close", "Region.[Symbol.asyncDispose]"], FULL, (world) =>
    leaves(world, (region) => ignore(region.close())),
  ),
  operation("region close with waits pending", ["Region.closeSync"], FULL, (world) => {
    const { region } = world.victim;
    return {
      act: () => {
        ignore(region.pipeSync("empty", { capacity: 1, maxLeased: 1 }).receive());
        ignore(region.counterSync("small").waitFor(10));
        ignore(region.counters.open("never", { wait: true }));
        region.closeSync();
      },
      claims: [],
      effect: () => undefined,
      pending: true,
    };
  }),
];

// Attaching.

class AttachAttempt implements Attempt {
  readonly victim = new Agent("guest");
  readonly rescuers: readonly Rescuer[];
  private readonly alive: Actor[];
  private readonly expected: string[] = [];
  private readonly fallen: Actor[] = [];

  constructor(
    private readonly world: World,
    dead: readonly Actor[],
  ) {
    world.restore();
    for (const actor of dead) {
      actor.do(() => touchMarker(actor));
      actor.die();
      this.expected.push(actor.label);
    }
    this.alive = world.actors.filter((actor) => !dead.includes(actor));
    this.rescuers = this.alive.map(({ agent, region }) => ({ agent, act: () => void region.recoverTheDead() }));
  }

  act(): void {
    Region.openSync(this.world.name, { label: "guest" });
  }

  died(number: number): void {
    if (number > 0) {
      const actor = this.alive[number - 1];
      this.expected.push(actor.label);
      this.fallen.push(actor);
      actor.die();
      return;
    }
    if (this.world.hasMember("guest")) this.expected.push("guest");
    dispose(this.victim);
  }

  verify({ returned, thorough }: Fate): void {
    const { world } = this;
    const witnesses = this.alive.filter((actor) => !this.fallen.includes(actor));
    for (const actor of witnesses) {
      actor.do(() => actor.region.recoverTheDead());
      assert.deepEqual(
        actor.deaths.map(({ label }) => label).sort(),
        [...this.expected].sort(),
        `what ${actor.label} is told`,
      );
      const guest = actor.deaths.find(({ label }) => label === "guest");
      assert.deepEqual([guest?.operation ?? "none", guest?.interrupted ?? false], ["none", false]);
    }
    if (returned) assert.ok(this.expected.includes("guest"));
    world.audit(witnesses[0]);
    if (thorough) this.attachAgain(witnesses[0]);
  }

  private attachAgain(witness: Actor): void {
    const again = new Agent("again");
    again.do(() => {
      const region = Region.openSync(this.world.name, { label: "again" });
      useEverything({ region });
      region.closeSync();
    });
    dispose(again);
    this.world.audit(witness);
  }
}

const attaching = (name: string, kind: WorldKind, dead: (world: World) => readonly Actor[]): CrashOperation => ({
  name: `region ${name}`,
  covers: ["Region.openSync", "Region.open", "Region.openOrCreateSync", "Region.openOrCreate"],
  begin: () => new AttachAttempt(worldOf(kind), dead(worldOf(kind))),
});

const ATTACHING: CrashOperation[] = [
  attaching("join", WITH_ROOM, () => []),
  attaching("join where somebody has died", WITH_ROOM, ({ actors }) => [actors[2]]),
  attaching("join where the dead have every other slot", FULL, ({ actors }) => [actors[3]]),
];

// Names: nobody else is attached, or need be.

interface NameScene {
  readonly victim: Agent;
  act(): void;
  /** What each of those does who come afterwards; the last one's result is closed in the end. */
  next(): Region | undefined;
  /** Checks, as the last one who came. */
  verify(region: Region | undefined): void;
  /** Others that take part. */
  readonly others?: readonly Agent[];
}

class NameAttempt implements Attempt {
  readonly victim;
  readonly rescuers: readonly Rescuer[];
  private readonly agents: Agent[];
  private region: Region | undefined;

  constructor(
    private readonly name: string,
    private readonly scene: NameScene,
  ) {
    this.victim = scene.victim;
    this.agents = ["one", "two", "three", "four"].map((label) => new Agent(label));
    this.rescuers = this.agents.map((agent) => ({ agent, act: () => void (this.region = scene.next()) }));
  }

  act(): void {
    this.scene.act();
  }

  died(number: number): void {
    this.region = undefined;
    dispose(number === 0 ? this.victim : this.agents[number - 1]);
  }

  verify({ fallen }: Fate): void {
    const { region, scene } = this;
    this.agents[fallen].do(() => {
      scene.verify(region);
      region?.closeSync();
    });
    for (const agent of [...this.agents, ...(scene.others ?? [])]) dispose(agent);
    assert.equal(existsSync(pathOf(this.name)), false, "the name is gone");
  }
}

const pathOf = (name: string): string => (name.includes("/") ? name : `/dev/shm/shmkit.${name}`);

/** The path of a region on disk, on no disk: what is in memory is not written anywhere. */
const onDisk = (name: string): string => `/dev/shm/${name}.shm`;

/** Keeps an eye on the file that has a name now; the answer is asked for once. */
function watchEnd(name: string): () => boolean {
  const descriptor = system.openExisting(pathOf(name), false);
  const mapping = system.map(descriptor, PAGE_BYTES, false, false, false);
  system.close(descriptor);
  assert.ok(typeof mapping !== "number");
  return () => {
    const state = new Int32Array(mapping.buffer)[REGION_HEADER.at.state >> 2];
    system.closeMapping(mapping.id);
    return state === RegionState.closed;
  };
}

function naming(
  name: string,
  covers: readonly string[],
  prepare: (name: string, victim: Agent) => Omit<NameScene, "victim">,
  placed = (name: string): string => name,
): CrashOperation {
  let regionName: string | undefined;
  return {
    name: `region ${name}`,
    covers,
    begin: () => {
      regionName ??= placed(uniqueRegionName("crash"));
      const victim = new Agent("ben");
      return new NameAttempt(regionName, { victim, ...prepare(regionName, victim) });
    },
  };
}

const isFresh = (region: Region | undefined): void => {
  assert.ok(region !== undefined);
  assert.deepEqual([...region.pipes.list(), ...region.counters.list(), ...region.mutexes.list()], []);
  assert.equal(region.members().length, 1);
  useEverything({ region });
};

/** Makes a region with something in it as somebody who then dies. */
function deadRegion(name: string, options: RegionOptions): void {
  const dead = new Agent("dead");
  dead.do(() => {
    const region = Region.createSync(name, options);
    region.pipeSync("letters", { capacity: 2, maxLeased: 1 }).sendSync("kept");
    region.mutexSync("held").tryLock()!.set(0, 5);
  });
  dispose(dead);
}

const KERNEL: RegionOptions = { ...SMALL, lifetime: "kernel" };

/** A region that stays: what is in it is there, and it is taken away by hand. */
const isKept = (name: string) => (region: Region | undefined) => {
  assert.equal(region!.pipes.openSync("letters").tryReceive(), "kept");
  const guard = region!.mutexes.openSync("held").tryLock();
  assert.deepEqual([guard?.abandoned, guard?.get(0)], [true, 0]);
  guard!.release();
  assert.equal(region!.members().length, 1);
  useEverything({ region: region! });
  assert.equal(Region.removeSync(name), true);
};

const NAMES: CrashOperation[] = [
  naming("create", ["Region.createSync", "Region.create"], (name) => ({
    act: () => void Region.createSync(name, SMALL),
    next: () => Region.createSync(name, SMALL),
    verify: isFresh,
  })),
  naming("open or create", ["Region.openOrCreateSync"], (name) => ({
    act: () => void Region.openOrCreateSync(name, SMALL),
    next: () => Region.openOrCreateSync(name, SMALL),
    verify: isFresh,
  })),
  naming("close as the last one", ["Region.closeSync"], (name, victim) => {
    const region = victim.do(() => Region.createSync(name, SMALL));
    const isClosed = watchEnd(name);
    return {
      act: () => region.closeSync(),
      next: () => Region.openOrCreateSync(name, SMALL),
      verify: (fresh) => {
        isFresh(fresh);
        assert.ok(isClosed(), "the old file says that it is no region any more");
      },
    };
  }),
  naming("close as the last one of a region that stays", ["Region.closeSync"], (name, victim) => {
    deadRegion(name, KERNEL);
    const region = victim.do(() => Region.openSync(name));
    return { act: () => region.closeSync(), next: () => Region.openSync(name), verify: isKept(name) };
  }),
  naming("open or create where all have died", ["Region.openOrCreateSync"], (name) => {
    deadRegion(name, SMALL);
    return {
      act: () => void Region.openOrCreateSync(name, SMALL),
      next: () => Region.openOrCreateSync(name, SMALL),
      verify: isFresh,
    };
  }),
  naming("create where all have died", ["Region.createSync"], (name) => {
    deadRegion(name, SMALL);
    return {
      act: () => void Region.createSync(name, SMALL),
      next: () => Region.createSync(name, SMALL),
      verify: isFresh,
    };
  }),
  naming("open where all have died", ["Region.openSync"], (name) => {
    deadRegion(name, SMALL);
    return {
      act: () => refuses("ERR_NOT_FOUND", () => Region.openSync(name)),
      next: () => void refuses("ERR_NOT_FOUND", () => Region.openSync(name)),
      verify: () => undefined,
    };
  }),
  naming("open one that stays, where all have died", ["Region.openSync"], (name) => {
    deadRegion(name, KERNEL);
    return { act: () => void Region.openSync(name), next: () => Region.openSync(name), verify: isKept(name) };
  }),
  naming("remove", ["Region.removeSync", "Region.remove"], (name) => {
    const other = new Agent("ann");
    const region = other.do(() => Region.createSync(name, SMALL));
    const isClosed = watchEnd(name);
    return {
      act: () => assert.equal(Region.removeSync(name), true),
      next: () => void Region.removeSync(name),
      verify: () => {
        other.do(() => useEverything({ region }));
        assert.ok(isClosed(), "the file says that it is no region for others any more");
      },
      others: [other],
    };
  }),
  naming("clean", ["Region.clean", "Region.cleanSync", "Region.list", "Region.listSync"], (name) => {
    deadRegion(name, SMALL);
    const cleaning = (): void => void runSync(clean(name, false), "cleaning", undefined);
    return { act: cleaning, next: () => void cleaning(), verify: () => undefined };
  }),
  naming("clean one that stays", ["Region.clean"], (name) => {
    deadRegion(name, KERNEL);
    const cleaning = (): void => void runSync(clean(name, true), "cleaning", undefined);
    return { act: cleaning, next: () => void cleaning(), verify: () => undefined };
  }),
];

const DISK: RegionOptions = { ...SMALL, maxMembers: 3, lifetime: "file" };

/** As after a failure of the power. */
function reboot(path: string): void {
  const { bootId } = REGION_HEADER.at;
  writeWord(path, bootId, readWord(path, bootId) ^ 1);
}

/** Nobody who comes next takes it for a mixture again, and gives back what those have who are here by then. */
const isMarked = (path: string): void =>
  assert.equal(readWord(path, REGION_HEADER.at.diskState), DiskState.inUse, "it is marked in use");

/** A region on disk that somebody has in use, who then dies. */
const ON_DISK: CrashOperation[] = [
  naming(
    "open or create on disk",
    ["Region.openOrCreateSync"],
    (name) => ({
      act: () => void Region.openOrCreateSync(name, DISK),
      next: () => Region.openOrCreateSync(name, DISK),
      verify: (region) => {
        isFresh(region);
        assert.equal(region!.unclean, false);
        assert.equal(Region.removeSync(name), true);
      },
    }),
    onDisk,
  ),
  naming(
    "open one on disk, where all have died",
    ["Region.openSync"],
    (name) => {
      deadRegion(name, DISK);
      return {
        act: () => void Region.openSync(name, { lifetime: "file" }),
        next: () => Region.openSync(name, { lifetime: "file" }),
        verify: (region) => {
          isMarked(name);
          isKept(name)(region);
        },
      };
    },
    onDisk,
  ),
  naming(
    "open one on disk after the machine went down",
    ["Region.openSync"],
    (name) => {
      deadRegion(name, DISK);
      reboot(name);
      return {
        act: () => void Region.openSync(name, { lifetime: "file" }),
        next: () => Region.openSync(name, { lifetime: "file" }),
        verify: (region) => {
          assert.equal(region!.unclean, true);
          isMarked(name);
          isKept(name)(region);
        },
      };
    },
    onDisk,
  ),
  naming(
    "close as the last one on disk",
    ["Region.closeSync"],
    (name, victim) => {
      deadRegion(name, DISK);
      const region = victim.do(() => Region.openSync(name, { lifetime: "file" }));
      return {
        act: () => region.closeSync(),
        next: () => {
          const next = Region.openSync(name, { lifetime: "file" });
          next.closeSync();
          assert.equal(Region.inspect(name)!.disk, "inOrder");
          return Region.openSync(name, { lifetime: "file" });
        },
        verify: isKept(name),
      };
    },
    onDisk,
  ),
  naming(
    "flush and mark clean",
    ["Region.flush", "Region.flushSync", "Region.markClean"],
    (name, victim) => {
      deadRegion(name, DISK);
      reboot(name);
      const region = victim.do(() => Region.openSync(name, { lifetime: "file" }));
      return {
        act: () => {
          region.flushSync();
          region.markClean();
          ignore(region.flush());
        },
        next: () => Region.openSync(name, { lifetime: "file" }),
        verify: isKept(name),
      };
    },
    onDisk,
  ),
  naming(
    "remove on disk",
    ["Region.removeSync", "Region.remove"],
    (name) => {
      deadRegion(name, DISK);
      return {
        act: () => assert.equal(Region.removeSync(name), true),
        next: () => void Region.removeSync(name),
        verify: () => undefined,
      };
    },
    onDisk,
  ),
];

const ANONYMOUS = { size: "128KiB", maxSize: "128KiB", maxMembers: 3 };

/** Regions without a name: whoever comes later has a descriptor. */
const NAMELESS: CrashOperation[] = [
  naming("make an anonymous one", ["Region.anonymousSync", "Region.anonymous"], () => ({
    act: () => void Region.anonymousSync(ANONYMOUS),
    next: () => Region.anonymousSync(ANONYMOUS),
    verify: isFresh,
  })),
  naming("attach to an anonymous one", ["Region.fromDescriptorSync", "Region.fromDescriptor"], () => {
    const other = new Agent("ann");
    const region = other.do(() => Region.anonymousSync(ANONYMOUS));
    const fd = other.do(() => region.fd);
    return {
      act: () => void Region.fromDescriptorSync(fd),
      next: () => Region.fromDescriptorSync(fd),
      verify: (joined) => {
        assert.equal(joined!.members().length, 2);
        useEverything({ region: joined! });
        other.do(() => region.closeSync());
      },
      others: [other],
    };
  }),
];

export const REGION_OPERATIONS: readonly CrashOperation[] = [
  ...LEAVING,
  ...ATTACHING,
  ...NAMES,
  ...ON_DISK,
  ...NAMELESS,
];
