import { formatBytes } from "../base/sizes.js";
import { formatCount } from "./figures.js";
import type { ListedObject } from "./listing.js";

type Row = readonly [name: string, text: string];

/** How an object is, beside who has it and who waits for it: a row for each of its figures. */
export function stateRows(object: ListedObject, nameOf: (slot: number) => string): readonly Row[] {
  const { value, flag, mutex, semaphore, rwlock, event, barrier, latch, once, rateLimiter, segmentPool } = object;
  const names = (slots: readonly number[]): string => slots.map(nameOf).join("; ");
  if (value !== undefined) return [["value", formatCount(value)]];
  if (flag !== undefined) return [["value", String(flag.value)]];
  if (mutex !== undefined)
    return [
      ["acquisitions", formatCount(mutex.acquisitions)],
      ["contended", formatCount(mutex.contended)],
    ];
  if (semaphore !== undefined)
    return [
      ["available", formatCount(semaphore.available)],
      ["contended", formatCount(semaphore.contended)],
    ];
  if (rwlock !== undefined) return [["contended", formatCount(rwlock.contended)]];
  if (event !== undefined)
    return [
      ["set", yesOrNo(event.isSet)],
      ["reset", event.manualReset ? "manual" : "automatic"],
    ];
  if (barrier !== undefined)
    return [
      ["parties", formatCount(barrier.parties)],
      ["generation", formatCount(barrier.generation)],
      ["arrived", formatCount(barrier.arrived.length)],
      ...some("expects", names(barrier.expected)),
      ...some("expects", barrier.free === 0 ? "" : `${formatCount(barrier.free)} more, yet to come`),
      ...some("lost", barrier.lost.map(goneMember).join("; ")),
    ];
  if (latch !== undefined)
    return [
      ["remaining", formatCount(latch.remaining)],
      ...latch.lost.map(({ slot, count }): Row => ["lost", `${formatCount(count)} of ${goneMember(slot)}`]),
    ];
  if (once !== undefined) return [["done", yesOrNo(once.isDone)]];
  if (rateLimiter !== undefined)
    return [
      ["available", `${formatCount(rateLimiter.available)} of ${formatCount(rateLimiter.burst)}`],
      ["rate", `${formatCount(rateLimiter.tokens)} every ${formatCount(rateLimiter.intervalMs)} ms`],
      ["taken", formatCount(rateLimiter.taken)],
    ];
  if (segmentPool !== undefined)
    return [
      ["segments", `${formatCount(segmentPool.segments)} of ${formatBytes(segmentPool.segmentBytes)}`],
      ["free", formatCount(segmentPool.free)],
      ["handed over", formatCount(segmentPool.handedOver.length)],
      ["acquired", formatCount(segmentPool.acquired)],
      ["recovered", formatCount(segmentPool.recovered)],
      ["contended", formatCount(segmentPool.contended)],
    ];
  return [];
}

/** The one thing that matters most of it, for a line among others; undefined of kinds whose holders say it. */
export function stateText(object: ListedObject): string | undefined {
  const { semaphore, event, barrier, latch, once, rateLimiter, segmentPool, parts } = object;
  if (semaphore !== undefined) return `${formatCount(semaphore.available)} available`;
  if (event !== undefined) return event.isSet ? "set" : "not set";
  if (barrier !== undefined) return `${barrier.arrived.length} of ${barrier.parties} arrived`;
  if (latch !== undefined) return latch.remaining === 0 ? "open" : `${formatCount(latch.remaining)} to go`;
  if (once !== undefined) return once.isDone ? "done" : "not done";
  if (rateLimiter !== undefined) return `${formatCount(rateLimiter.available)} of ${formatCount(rateLimiter.burst)}`;
  if (segmentPool !== undefined) return `${formatCount(segmentPool.free)} of ${formatCount(segmentPool.segments)} free`;
  return parts === undefined ? undefined : `${formatCount(parts.length)} parts`;
}

/** Its slot may be another one's by now. */
const goneMember = (slot: number): string => `member ${slot}, who is gone`;
const yesOrNo = (value: boolean): string => (value ? "yes" : "no");
const some = (name: string, text: string): readonly Row[] => (text === "" ? [] : [[name, text]]);
