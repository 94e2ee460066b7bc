import * as words from "#words";
import type { Segment } from "../memory/segment.js";

/**
 * A number of a possession and a moment in which it had begun: two words, one writer at a time. The moment is stored first,
 * and later ones over it only, so whoever finds the number has a moment that is not too early, whichever of them it reads,
 * and whether the writer has stored both, died or was stopped in between.
 */
export interface DatedNumber {
  /** Word index of the number. */
  readonly number: number;
  /** Float index of the moment, in milliseconds since 1970. */
  readonly at: number;
}

/** Notes that a possession has begun: its number was read just before. */
export function noteNumber({ words: shared, floats }: Segment, { number, at }: DatedNumber, value: number): void {
  if (words.read(shared, number) === value) return;
  words.writeFloat(floats, at, Date.now());
  // SYNC POINT: the moment is visible with its number; pairs with momentOf
  words.storeRelease(shared, number, value);
}

/** A moment since which the possession of a number has lasted, if it lasts; undefined when nobody has noted one. 0 is no number. */
export function momentOf(
  { words: shared, floats }: Segment,
  { number, at }: DatedNumber,
  value: number,
): number | undefined {
  return value !== 0 && words.load(shared, number) === value ? words.readFloat(floats, at) : undefined;
}

/** The earliest of the moments that any slot's member has noted. */
export function earliestOf(
  segment: Segment,
  slots: number,
  cellOf: (slot: number) => DatedNumber,
  value: number,
): Date | undefined {
  let earliest: number | undefined;
  for (let slot = 0; slot < slots; slot++) {
    const moment = momentOf(segment, cellOf(slot), value);
    if (moment !== undefined && (earliest === undefined || moment < earliest)) earliest = moment;
  }
  return earliest === undefined ? undefined : new Date(earliest);
}
