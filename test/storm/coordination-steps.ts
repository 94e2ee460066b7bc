/** Steps on the objects by which members wait for each other. The model does not follow them: they must end, and leave nothing behind. */
import { setTimeout as sleep } from "node:timers/promises";
import { part, ShmkitError, type Region, type SegmentTicket } from "shmkit";
import type { Random } from "../helpers/process-random.js";

type Wait = { timeoutMs: number };

async function condition(region: Region, random: Random, wait: Wait): Promise<void> {
  const mutex = await region.mutex("passing-gate", { words: 1, ...wait });
  const changed = await region.condition("passing-signal", wait);
  using guard = random.below(2) === 0 ? mutex.lockSync(wait) : await mutex.lock(wait);
  guard.set(0, guard.get(0) + 1);
  const before = guard.get(0);
  const isChanged = (): boolean => guard.get(0) !== before;
  switch (random.below(5)) {
    case 0:
      changed.notifyAll();
      break;
    case 1:
      await changed.waitFor(guard, isChanged, wait);
      break;
    case 2:
      changed.waitForSync(guard, isChanged, wait);
      break;
    default:
      changed.notifyOne();
  }
}

async function event(region: Region, random: Random, wait: Wait): Promise<void> {
  const manualReset = random.below(2) === 0;
  const event = await region.event(manualReset ? "passing-gate-event" : "passing-pulse", { manualReset, ...wait });
  const how = random.below(4);
  if (how === 0) event.set();
  else if (how === 1) await event.wait(wait);
  else if (how === 2) event.waitSync(wait);
  else await event.reset(wait);
}

async function meeting(region: Region, random: Random, wait: Wait): Promise<void> {
  const barrier = await region.barrier("passing-barrier", { parties: 3, ...wait });
  try {
    if (random.below(2) === 0) barrier.waitSync(wait);
    else await barrier.wait(wait);
  } catch (error) {
    // There are three already.
    if (!(error instanceof ShmkitError) || error.code !== "ERR_OUT_OF_RANGE") throw error;
  } finally {
    if (random.below(2) === 0) barrier.detach();
  }
}

async function latch(region: Region, random: Random, wait: Wait): Promise<void> {
  const latch = await region.latch(`passing-latch-${random.below(3)}`, { count: 30, ...wait });
  latch.enrol();
  if (random.below(3) > 0) latch.countDown();
  if (random.below(2) === 0) await latch.wait(wait);
  else latch.waitSync(wait);
}

async function once(region: Region, random: Random, wait: Wait): Promise<void> {
  const name = `passing-once-${random.below(3)}`;
  const once = await region.doOnce(name, wait);
  const result = once.runSync(() => {
    if (random.below(3) === 0) throw new ShmkitError("ERR_TIMEOUT", "not this time");
    return new TextEncoder().encode(name);
  }, wait);
  if (new TextDecoder().decode(result) !== name) throw new Error(`${name} came to something else`);
  if (random.below(4) === 0) await region.onces.remove(name, wait);
}

async function flag(region: Region, random: Random, wait: Wait): Promise<void> {
  const flag = await region.flag("passing-flag", wait);
  if (random.below(2) === 0) await flag.testAndSet(wait);
  else flag.clearSync(wait);
  await flag.waitFor(random.below(2) === 0, wait);
}

async function segments(region: Region, random: Random, wait: Wait): Promise<void> {
  const pool = await region.segmentPool("passing-segments", { segments: 2, segmentBytes: 64, ...wait });
  const tickets = await region.pipe<SegmentTicket>("passing-tickets", { capacity: 2, ...wait });
  const sent = tickets.tryReceive();
  try {
    using segment = sent === undefined ? await pool.acquire(wait) : pool.takeOver(sent);
    const { bytes } = segment;
    const mark = random.below(256);
    bytes.fill(mark);
    if (random.below(2) === 0) await sleep(1);
    if (!bytes.every((byte) => byte === mark)) throw new Error(`segment ${segment.id} is somebody else's as well`);
    if (random.below(3) > 0) return;
    const ticket = segment.handOver();
    if (sent === undefined && !tickets.trySend(ticket)) pool.abandon(ticket);
    else if (random.below(2) === 0) await pool.takeBack(ticket, wait).then((back) => back.release());
    else pool.abandon(ticket);
  } catch (error) {
    // Whoever handed it over has died or taken it back, or whoever had it did not hand it back.
    if (!(error instanceof ShmkitError) || error.code !== "ERR_NOT_HELD") throw error;
  }
}

/** Where all that members synchronise by is, but for Web Locks. */
export const coordinationOf = (region: Region) => {
  const { rwlocks, semaphores, rateLimiters, segmentPools, conditions, events, barriers, latches, onces, flags } =
    region;
  return [rwlocks, semaphores, rateLimiters, segmentPools, conditions, events, barriers, latches, onces, flags];
};

const PARTS = { lock: part.mutex({ words: 1 }), changed: part.condition(), times: part.counter() };

/** The counter is changed under the mutex, in whose word it is as well: so they are of one composite, and whole. */
async function composite(region: Region, random: Random, wait: Wait): Promise<void> {
  const name = `passing-composite-${random.below(2)}`;
  const { parts } = await region.composite(name, PARTS, wait);
  try {
    using guard = random.below(2) === 0 ? parts.lock.lockSync(wait) : await parts.lock.lock(wait);
    if (guard.abandoned) guard.set(0, Number(parts.times.value));
    if (parts.times.value !== BigInt(guard.get(0))) throw new Error(`${name} has parts of another one`);
    guard.set(0, Number(parts.times.addSync(1, wait)));
    parts.changed.notifyAll();
    if (random.below(3) === 0) await parts.changed.wait(guard, wait);
  } catch (error) {
    // Somebody removed it meanwhile.
    if (!(error instanceof ShmkitError) || error.code !== "ERR_CLOSED") throw error;
  }
  if (random.below(3) === 0) await region.composites.remove(name, wait);
}

const STEPS = [condition, event, meeting, latch, once, flag, segments, composite];

/** One step; that it found nothing in time is no fault. */
export async function coordinate(region: Region, random: Random, wait: Wait): Promise<void> {
  try {
    await random.of(STEPS)(region, random, wait);
  } catch (error) {
    if (!(error instanceof ShmkitError) || error.code !== "ERR_TIMEOUT") throw error;
  }
}
