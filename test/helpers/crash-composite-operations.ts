/** Making, opening, giving up and removing composite objects: all of it, or nothing. */
import assert from "node:assert/strict";
import { part, type Composite } from "shmkit";
import { PAGE_BYTES } from "#src/layout/region-header.js";
import { HEADER } from "#src/members/region-words.js";
import { whileParked } from "../instruments/system.js";
import { refuses } from "./crash-calls.js";
import type { CrashOperation } from "./crash-explore.js";
import { operation, touchMarker, type Scene, type WorldKind } from "./crash-scene.js";
import type { Actor, World } from "./crash-world.js";

const ROOMY: WorldKind = { options: { size: "192KiB", maxSize: "192KiB" } };
/** One entry is left in the first segment of the directory. */
const CROWDED: WorldKind = {
  options: { size: "384KiB", maxSize: "384KiB" },
  furnish: ({ first }) => {
    for (let i = 2; i < 32; i++) first.do(() => first.region.counters.createSync(`c${i}`).detach());
  },
};

const NAME = "née.🐘";
const parts = { lock: part.mutex({ words: 2 }), lines: part.counter() };
const PARTS = Object.keys(parts).map((name) => `${NAME}.${name}`);

const create = ({ region }: Actor): Composite<typeof parts> => region.composites.createSync(NAME, { parts });

/** Names there are of the composite and its parts. */
const names = ({ region }: Actor): string[] =>
  [region.composites, region.mutexes, region.counters]
    .flatMap((collection) => collection.list())
    .filter((name) => name.startsWith(NAME));

/** Whether it is there, with all its parts and as it was made. @throws when there are some of them only */
function isWhole(witness: Actor): boolean {
  const found = names(witness);
  if (found.length === 0) return false;
  assert.deepEqual(found, [NAME, ...PARTS]);
  const { lock, lines } = witness.region.composites.openSync(NAME, { parts }).parts;
  const guard = lock.tryLock();
  assert.deepEqual([guard?.abandoned, guard?.get(0), guard?.get(1)], [false, 0, 0]);
  guard!.release();
  assert.equal(lines.value, 0n);
  return true;
}

const creates = (world: World, act: () => void, more: Partial<Scene> = {}): Scene => ({
  act,
  claims: ["object.create"],
  object: NAME,
  effect: isWhole,
  goOn: () => {
    touchMarker(world.victim);
    if (names(world.victim).length > 0) world.victim.region.composites.openSync(NAME).detach();
  },
  ...more,
});

const removes = (act: () => void, more: Partial<Scene> = {}): Scene => ({
  act,
  claims: ["object.remove"],
  object: NAME,
  effect: (witness) => !isWhole(witness),
  ...more,
});

const leaves = (act: () => void, more: Partial<Scene> = {}): Scene => ({
  act,
  claims: [],
  effect: () => undefined,
  ...more,
});

const during = (settle: () => void, act: () => void): void => {
  whileParked(settle);
  act();
};

const on = (name: string, covers: readonly string[], prepare: (world: World) => Scene, kind = ROOMY): CrashOperation =>
  operation(`composite ${name}`, covers, kind, prepare);

const CREATING: CrashOperation[] = [
  on("open or create", ["Region.compositeSync", "Region.composite"], (world) =>
    creates(world, () => void world.victim.region.compositeSync(NAME, parts)),
  ),
  on(
    "create with a new segment of the directory",
    ["Collection.createSync"],
    (world) => creates(world, () => void create(world.victim)),
    CROWDED,
  ),
  on("create while another allocates", ["Collection.createSync"], (world) => {
    const settle = world.hold(HEADER.heapLock);
    return creates(world, () => during(settle, () => void create(world.victim)), { settle });
  }),
  on("create where a removed one was, which somebody has", ["Collection.createSync"], (world) => {
    world.first.do(() => create(world.first));
    world.first.do(() => world.first.region.composites.removeSync(NAME));
    return creates(world, () => void create(world.victim));
  }),
  on("create with a part of somebody else's name", ["Collection.createSync"], (world) => {
    world.first.do(() => world.first.region.flags.createSync(`${NAME}.lines`));
    const act = (): void => refuses("ERR_EXISTS", () => create(world.victim));
    return creates(world, act, { refused: true, effect: (witness) => names(witness).length > 0 });
  }),
  on("create what does not fit", ["Collection.createSync"], (world) => {
    const { region } = world.first;
    const filling: string[] = [];
    while (region.statistics().freeBytes >= 3 * PAGE_BYTES) {
      filling.push(`filling ${filling.length}`);
      world.first.do(() => region.counters.createSync(filling.at(-1)!).detach());
    }
    const act = (): void => refuses("ERR_REGION_FULL", () => create(world.victim));
    const effect = (witness: Actor): boolean => {
      for (const name of filling) witness.region.counters.removeSync(name);
      return isWhole(witness);
    };
    return creates(world, act, { refused: true, effect });
  }),
];

const OPENING: CrashOperation[] = [
  on("open", ["Collection.openSync"], (world) => {
    world.first.do(() => create(world.first));
    return leaves(() => void world.victim.region.composites.openSync(NAME, { parts }), {
      claims: ["object.open"],
      object: NAME,
    });
  }),
  on("open with other parts", ["Collection.openOrCreateSync"], (world) => {
    world.first.do(() => create(world.first));
    const others = { ...parts, lines: part.flag() };
    return leaves(() => refuses("ERR_WRONG_KIND", () => world.victim.region.compositeSync(NAME, others)));
  }),
  on("open a part", ["Collection.openSync"], (world) => {
    world.first.do(() => create(world.first));
    return leaves(() => void world.victim.region.counters.openSync(`${NAME}.lines`), {
      claims: ["object.open"],
      object: `${NAME}.lines`,
    });
  }),
  on("give up a handle", ["Composite.detach"], (world) => {
    world.first.do(() => create(world.first));
    const mine = world.victim.do(() => world.victim.region.composites.openSync(NAME));
    return leaves(() => mine.detach(), { claims: ["object.detach"], pending: true });
  }),
  on("give up the last handle of a removed one", ["Composite.detach"], (world) => {
    const mine = world.victim.do(() => create(world.victim));
    world.first.do(() => world.first.region.composites.removeSync(NAME));
    return leaves(() => mine.detach(), { pending: true });
  }),
  on("die with the last handle of a removed one", ["Composite.detach"], (world) => {
    world.victim.do(() => create(world.victim));
    world.first.do(() => world.first.region.composites.removeSync(NAME));
    const effect = (witness: Actor): undefined => {
      assert.equal(world.audit(witness).objects, 1, "its memory is free");
    };
    return leaves(() => touchMarker(world.victim), { effect, pending: true });
  }),
];

const REMOVING: CrashOperation[] = [
  on("remove what others have open", ["Collection.removeSync"], (world) => {
    world.first.do(() => create(world.first));
    return removes(() => assert.equal(world.victim.region.composites.removeSync(NAME), true));
  }),
  on("remove what nobody has open", ["Collection.removeSync"], (world) => {
    world.first.do(() => create(world.first).detach());
    return removes(() => assert.equal(world.victim.region.composites.removeSync(NAME), true));
  }),
  on("remove of which others have a part", ["Collection.removeSync"], (world) => {
    world.first.do(() => create(world.first).detach());
    world.first.do(() => world.first.region.counters.openSync(`${NAME}.lines`));
    return removes(() => assert.equal(world.victim.region.composites.removeSync(NAME), true));
  }),
  on("remove what it has open itself", ["Collection.removeSync"], (world) => {
    world.victim.do(() => create(world.victim));
    return removes(() => assert.equal(world.victim.region.composites.removeSync(NAME), true));
  }),
  on("remove a part", ["Collection.removeSync"], (world) => {
    world.first.do(() => create(world.first));
    return leaves(() => refuses("ERR_WRONG_KIND", () => world.victim.region.counters.removeSync(`${NAME}.lines`)));
  }),
];

export const COMPOSITE_OPERATIONS: readonly CrashOperation[] = [...CREATING, ...OPENING, ...REMOVING];
