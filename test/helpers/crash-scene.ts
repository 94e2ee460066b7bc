/** Operations on the objects of a region, and what must hold after a member died in one of them, whichever it was. */
import assert from "node:assert/strict";
import { unlinkSync } from "node:fs";
import {
  Counter,
  Mutex,
  part,
  ShmkitError,
  type Composite,
  type Condition,
  type Lease,
  type MemberDeath,
  type Pipe,
  type Region,
  type RateLimiter,
  type RegionOptions,
  type RwLock,
  type SegmentPool,
  type Semaphore,
} from "shmkit";
import type { OperationName } from "#src/layout/member-slot.js";
import { countIgnored, refuses } from "./crash-calls.js";
import type { Attempt, CrashOperation, Fate } from "./crash-explore.js";
import { hasLocks, lockTable, TestClaim } from "./lock-claims.js";
import { LOCKS_NAME } from "#src/sync/lock-table.js";
import { World, type Actor } from "./crash-world.js";
import { leftovers } from "./leftovers.js";

/** The counter that everybody uses in between, so that the event tells this operation from the last one. */
const MARKER = "marker";

/** What does no more than begin and end an operation. */
export const touchMarker = ({ region }: Actor): void => void region.counters.openSync(MARKER).addSync(1);

/** One try of an operation by `ben`. */
export interface Scene {
  readonly act: () => void;
  /** What a `memberDied` event calls the operation, and the name of its object. */
  readonly claims: readonly OperationName[];
  readonly object?: string;
  /** Whether the operation took effect, or undefined when nobody can tell. @throws when it did by half */
  readonly effect: (witness: Actor) => boolean | undefined;
  /** The operation ends in an error or without having found anything. */
  readonly refused?: boolean;
  /** It does nothing, and says nothing, where there is nothing left to undo. */
  readonly mayBeVoid?: boolean;
  /** It leaves waits pending, or for another reason cannot be cut off and judged. */
  readonly pending?: boolean;
  /** What others do in any case before everything is checked. */
  readonly settle?: () => void;
  /** Looks at how things are when it has just died. */
  readonly atDeath?: () => void;
  /** What the victim does next when it was cut off and lives; otherwise something harmless. */
  readonly goOn?: () => void;
}

export interface WorldKind {
  readonly options: RegionOptions;
  furnish?(world: World): void;
}

const worlds = new Map<WorldKind, World>();

export function worldOf(kind: WorldKind): World {
  let world = worlds.get(kind);
  if (world === undefined) {
    world = new World(kind.options, (made) => {
      made.first.do(() => made.first.region.counterSync(MARKER).detach());
      kind.furnish?.(made);
    });
    worlds.set(kind, world);
  }
  return world;
}

/** Takes all regions away, those too whose every member was stopped, so that nobody is left to do it. */
export function endWorlds(): void {
  for (const world of worlds.values()) world.end();
  worlds.clear();
  for (const name of leftovers()) unlinkSync(`/dev/shm/${name}`);
}

const bytesOf = (value: unknown): Uint8Array => value as Uint8Array;

/** Takes what there is, to the end if the pipe is closed. */
export function takeAll(pipe: Pipe, take: (lease: Lease<unknown>) => void): void {
  try {
    for (let lease = pipe.tryReceive({ lease: true }); lease !== undefined; lease = pipe.tryReceive({ lease: true }))
      take(lease);
  } catch (error) {
    if (!(error instanceof ShmkitError) || error.code !== "ERR_CLOSED") throw error;
    assert.ok(pipe.isClosed, error.message);
  }
}

function usePipe(pipe: Pipe): void {
  takeAll(pipe, (lease) => lease.ack());
  if (pipe.isClosed) return;
  const { leased } = pipe.statistics();
  assert.equal(pipe.trySend(Uint8Array.of(1, 2, 3)), true, `${pipe.name} takes messages`);
  assert.equal(pipe.trySend({ plain: "value" }) || pipe.capacity === 1, true, `${pipe.name} takes more`);
  const lease = pipe.tryReceive({ lease: true });
  assert.deepEqual([...bytesOf(lease?.value)], [1, 2, 3]);
  lease!.nack();
  assert.deepEqual([...bytesOf(pipe.tryReceive())], [1, 2, 3]);
  if (pipe.capacity > 1) assert.deepEqual(pipe.tryReceive(), { plain: "value" });
  assert.equal(pipe.tryReceive(), undefined, `${pipe.name} is empty`);
  const after = pipe.statistics();
  assert.deepEqual({ depth: after.depth, leased: after.leased }, { depth: 0, leased });
}

function useMutex(mutex: Mutex): void {
  const guard = mutex.tryLock();
  assert.ok(guard !== undefined, `${mutex.name} can be locked`);
  guard.set(0, guard.get(0) + 1);
  guard.release();
  const again = mutex.tryLock()!;
  assert.equal(again.abandoned, false, `${mutex.name} was abandoned once`);
  again.release();
}

function useCounter(counter: Counter): void {
  const { value } = counter;
  assert.equal(counter.addSync(5), BigInt.asIntN(64, value + 5n));
}

function useSemaphore(semaphore: Semaphore): void {
  const { available } = semaphore;
  semaphore.post();
  const lease = semaphore.tryAcquire({ permits: available + 1 });
  assert.ok(lease !== undefined, `${semaphore.name} leases what it has`);
  lease.release();
  assert.equal(semaphore.tryWait(), true, `${semaphore.name} can be waited for`);
  assert.equal(semaphore.available, available);
}

function useCondition(condition: Condition, { region }: Pick<Actor, "region">): void {
  const mutex = region.mutexes.openOrCreateSync("a condition's mutex");
  const guard = mutex.tryLock()!;
  refuses("ERR_TIMEOUT", () => condition.waitSync(guard, { timeoutMs: 0 }));
  condition.waitForSync(guard, () => true);
  guard.release();
  mutex.detach();
  condition.notifyAll();
}

function useRwLock(lock: RwLock): void {
  const reader = lock.tryLockShared();
  const guard = lock.tryLockUpgradable();
  assert.ok(reader !== undefined && guard !== undefined, `${lock.name} can be held`);
  reader.release();
  assert.equal(guard.tryUpgrade(), true, `${lock.name} can be upgraded`);
  guard.downgrade();
  guard.release();
}

/** The same with what members meet at, which the rest may not follow. */
function useMeetings(region: Region): void {
  for (const name of region.events.list()) {
    const event = region.events.openSync(name);
    event.resetSync();
    event.set();
    event.waitSync({ timeoutMs: 0 });
    assert.equal(event.isSet, event.manualReset, `${name} lets go on`);
  }
  for (const name of region.barriers.list()) region.barriers.openSync(name).statistics();
  for (const name of region.latches.list()) {
    const latch = region.latches.openSync(name);
    const { remaining } = latch;
    if (remaining > 0) latch.countDown(remaining);
    latch.waitSync({ timeoutMs: 0 });
  }
  for (const name of region.onces.list()) {
    const once = region.onces.openSync(name);
    once.runSync(() => undefined, { timeoutMs: 0 });
    assert.equal(once.isDone, true, `${name} can be done`);
  }
  for (const name of region.flags.list()) {
    const flag = region.flags.openSync(name);
    flag.setSync();
    assert.equal(flag.testAndSetSync(), true, `${name} is set`);
    flag.clearSync();
    flag.waitForSync(false, { timeoutMs: 0 });
  }
}

function useRateLimiter(limiter: RateLimiter): void {
  const { taken, available } = limiter.statistics();
  if (available > 0) assert.equal(limiter.tryTake(), true, `${limiter.name} has tokens`);
  else limiter.takeSync();
  assert.equal(limiter.statistics().taken, taken + 1);
}

function useSegmentPool(pool: SegmentPool): void {
  const { free } = pool.statistics();
  const segments = Array.from({ length: free }, () => pool.tryAcquire()!);
  segments.forEach(({ bytes, id }) => bytes.fill(id));
  assert.ok(
    segments.every(({ bytes, id }) => bytes.every((byte) => byte === (id & 0xff))),
    `${pool.name} has segments`,
  );
  for (const segment of segments) pool.takeOver(segment.handOver()).release();
  assert.equal(pool.statistics().free, free);
}

/** Does everything that can be done, with what there is and with something new. */
export function useEverything({ region }: Pick<Actor, "region">): void {
  for (const name of region.pipes.list()) usePipe(region.pipes.openSync(name));
  for (const name of region.mutexes.list()) useMutex(region.mutexes.openSync(name));
  for (const name of region.counters.list()) useCounter(region.counters.openSync(name));
  for (const name of region.rateLimiters.list()) useRateLimiter(region.rateLimiters.openSync(name));
  for (const name of region.segmentPools.list()) useSegmentPool(region.segmentPools.openSync(name));
  for (const name of region.rwlocks.list()) useRwLock(region.rwlocks.openSync(name));
  for (const name of region.semaphores.list()) useSemaphore(region.semaphores.openSync(name));
  usePipe(region.pipes.createSync("newcomer's pipe", { capacity: 1, maxLeased: 1 }));
  useMutex(region.mutexes.createSync("newcomer's mutex"));
  useCounter(region.counters.createSync("newcomer's counter"));
  useSemaphore(region.semaphores.createSync("newcomer's semaphore", { permits: 2 }));
  for (const name of region.conditions.list()) useCondition(region.conditions.openSync(name), { region });
  useMeetings(region);
  useCondition(region.conditions.createSync("newcomer's condition"), { region });
  useRwLock(region.rwlocks.createSync("newcomer's rwlock"));
  if (hasLocks(region)) useLocks(region);
  useRateLimiter(region.rateLimiters.createSync("newcomer's rate limiter"));
  useSegmentPool(region.segmentPools.createSync("newcomer's segments", { segments: 2, segmentBytes: 100 }));
  for (const name of region.composites.list()) useComposite(region.composites.openSync(name), { region });
  const parts = { lock: part.mutex(), served: part.counter() };
  useComposite(region.composites.createSync("newcomer's composite", { parts }), { region });
}

/** The parts are what is found under their names; and those are used anyway, as objects of their kinds. */
function useComposite({ name, parts }: Composite, { region }: Pick<Actor, "region">): void {
  for (const [own, object] of Object.entries(parts)) {
    assert.equal(object.name, `${name}.${own}`);
    if (object instanceof Mutex) useMutex(region.mutexes.openSync(object.name));
    if (object instanceof Counter) useCounter(region.counters.openSync(object.name));
  }
}

function useLocks(region: Region): void {
  const table = lockTable(region);
  const claim = new TestClaim("newcomer's lock", "ifAvailable");
  table.request(claim);
  assert.deepEqual(claim.told, ["granted"]);
  assert.equal(table.leave(claim), true);
}

function removeEverything({ region, membership }: Actor): void {
  if (hasLocks(region)) membership.waits.sync(membership.directory.removing(LOCKS_NAME, "locks"), undefined);
  // Parts go with these.
  for (const name of region.composites.list()) region.composites.removeSync(name);
  for (const name of region.pipes.list()) region.pipes.removeSync(name);
  for (const name of region.mutexes.list()) region.mutexes.removeSync(name);
  for (const name of region.counters.list()) region.counters.removeSync(name);
  for (const name of region.rateLimiters.list()) region.rateLimiters.removeSync(name);
  for (const name of region.segmentPools.list()) region.segmentPools.removeSync(name);
  for (const name of region.rwlocks.list()) region.rwlocks.removeSync(name);
  for (const name of region.semaphores.list()) region.semaphores.removeSync(name);
  for (const name of region.conditions.list()) region.conditions.removeSync(name);
  for (const collection of [region.events, region.barriers, region.latches, region.onces, region.flags])
    for (const name of collection.list()) collection.removeSync(name);
}

class WorldAttempt implements Attempt {
  readonly victim;
  readonly rescuers;
  readonly cut?: () => () => void;
  readonly loss = {
    lose: (): void => this.world.victim.lose(),
    verify: (error: unknown): void => this.verifyLoss(error),
  };
  private readonly scene: Scene;
  private readonly dead: Actor[] = [];
  private readonly expected: Actor[] = [];
  private readonly ignoredBefore = countIgnored();
  private wasInterrupted = false;

  constructor(
    private readonly world: World,
    prepare: (world: World) => Scene,
  ) {
    world.restore();
    // Opened before, since the scene may have the directory held by somebody.
    const marker = world.victim.do(() => world.victim.region.counters.openSync(MARKER));
    this.scene = prepare(world);
    world.victim.do(() => marker.addSync(1));
    this.victim = world.victim.agent;
    this.rescuers = this.rescuing.map((actor) => ({
      agent: actor.agent,
      act: () => void actor.region.recoverTheDead(),
    }));
    if (this.scene.pending !== true) this.cut = () => this.world.victim.cut();
  }

  private get rescuing(): Actor[] {
    return this.world.actors.filter((actor) => actor !== this.world.victim);
  }

  act(): void {
    this.scene.act();
  }

  /** What returned although the memory went away has happened before. */
  private verifyLoss(error: unknown): void {
    if (error !== undefined) {
      const lost = error instanceof ShmkitError && error.code === "ERR_REGION_LOST";
      assert.ok(lost, `the memory went away: ${error instanceof Error ? error.message : "no error"}`);
      return;
    }
    // Its promise says it.
    if (countIgnored() > this.ignoredBefore || this.scene.mayBeVoid === true) return;
    this.died(0);
    this.scene.settle?.();
    const [witness] = this.rescuing;
    const effect = witness.do(() => {
      witness.region.recoverTheDead();
      return this.scene.effect(witness);
    });
    if (effect !== undefined)
      assert.equal(effect, this.scene.refused !== true, "it returned, and the memory went away");
  }

  died(number: number): void {
    const actor = number === 0 ? this.world.victim : this.rescuing[number - 1];
    if (number === 0) {
      this.wasInterrupted = this.world.isInOperation(actor.slot);
      this.scene.atDeath?.();
    }
    // Whoever died while it left, with its slot free already, has left.
    if (this.world.isActive(actor.slot)) this.expected.push(actor);
    actor.die();
    this.dead.push(actor);
  }

  verify({ returned, fallen, thorough }: Fate): void {
    const { world, scene } = this;
    scene.settle?.();
    const alive = this.rescuing.slice(fallen);
    if (this.dead.length === 0) this.goOn(alive[0]);
    const [witness] = alive;
    for (const actor of alive) {
      actor.do(() => actor.region.recoverTheDead());
      this.checkDeaths(actor);
    }
    world.audit(witness);
    const effect = witness.do(() => scene.effect(witness));
    if (this.dead.length > 0) this.checkClaim(witness, effect, returned);
    if (returned && effect !== undefined) assert.equal(effect, scene.refused !== true, "what returned is there");
    if (thorough) this.useAgain(alive);
  }

  private useAgain(alive: readonly Actor[]): void {
    const { world } = this;
    const [witness] = alive;
    world.audit(witness);
    const newcomer = this.newcomer();
    newcomer.do(() => useEverything(newcomer));
    witness.do(() => {
      usePipes(witness);
      removeEverything(witness);
    });
    for (const actor of [...alive, newcomer]) actor.do(() => actor.handles.forEach((object) => object.detach()));
    const { usedPages, segmentPages, objects } = world.audit(witness);
    assert.deepEqual({ objects, usedPages }, { objects: 0, usedPages: segmentPages }, "nothing is left in use");
  }

  /** Somebody who was not there: in the dead member's place, or who was cut off and goes on. */
  private newcomer(): Actor {
    const { victim } = this.world;
    if (this.dead.length > 0 || victim.membership.member.closed) victim.joinAgain();
    return victim;
  }

  /** Each death was told once, and the victim's as it was. */
  private checkDeaths(witness: Actor): void {
    const told = witness.deaths.map(({ slot, label }) => `${slot} ${label}`).sort();
    const expected = this.expected.map(({ slot, label }) => `${slot} ${label}`).sort();
    assert.deepEqual(
      told,
      expected,
      `${witness.label} is told of ${told.join(", ")}, not of ${expected.join(", ")} once each`,
    );
  }

  /** What the event says of the operation is true. */
  private checkClaim(witness: Actor, effect: boolean | undefined, returned: boolean): void {
    const { scene } = this;
    const death = witness.deaths.find(({ slot }) => slot === this.world.victim.slot);
    if (death === undefined) return;
    assert.equal(death.interrupted, this.wasInterrupted, `it says whether it was interrupted: ${describe(death)}`);
    if (returned) checkReturned(death, scene);
    if (effect === undefined) return;
    assert.equal(claimOf(death, scene) ?? effect, effect, `the event says ${describe(death)}`);
  }

  /** A member that was cut off does something else. */
  private goOn(witness: Actor): void {
    const { world } = this;
    const { victim } = world;
    victim.do(() => {
      if (this.scene.goOn !== undefined) this.scene.goOn();
      else touchMarker(victim);
    });
    // Cut off while it left, it may have gone without freeing its slot.
    if (world.isActive(victim.slot) && !witness.isAlive(victim.slot)) this.expected.push(victim);
  }
}

function usePipes({ region }: Actor): void {
  for (const name of region.pipes.list()) usePipe(region.pipes.openSync(name));
}

const describe = ({ operation, object, interrupted, committed }: MemberDeath): string =>
  `${operation} ${object ?? "-"}, interrupted: ${interrupted}, committed: ${committed}`;

/** What an event claims: that the operation took effect, or that it did not; undefined when it speaks of something else. */
function claimOf(death: MemberDeath, scene: Scene): boolean | undefined {
  if (scene.claims.length === 0) return undefined;
  if (!scene.claims.includes(death.operation)) return false;
  if (scene.object !== undefined && death.object !== scene.object) return false;
  return death.committed;
}

/** What an event says of a member that died after its operation: that it was this one, and over. */
function checkReturned(death: MemberDeath, { claims, object, refused = false }: Scene): void {
  const text = `it had returned, and the event says ${describe(death)}`;
  assert.equal(death.interrupted, false, text);
  if (claims.length === 0) return;
  assert.ok(claims.includes(death.operation), text);
  assert.equal(death.committed, !refused, text);
  if (object !== undefined && !refused) assert.equal(death.object, object, text);
}

/** Registers an operation on a region of a kind; `prepare` sets the scene and is not explored. */
export function operation(
  name: string,
  covers: readonly string[],
  kind: WorldKind,
  prepare: (world: World) => Scene,
): CrashOperation {
  return { name, covers, begin: () => new WorldAttempt(worldOf(kind), prepare) };
}
