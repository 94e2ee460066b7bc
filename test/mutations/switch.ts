/**
 * Which mutation is on. The mutated library asks at each of its sites; in a process that was started for one mutation it
 * is on from the beginning, otherwise none is until it is chosen.
 */
import type { Synchronising } from "../instruments/words.js";

let active = process.env["SHMKIT_MUTATION"] ?? "";
let passed: Set<string> | undefined;

/** Asked by a site whenever it is passed. */
export function at(key: string): boolean {
  passed?.add(key);
  return key === active;
}

/** Turns one mutation on, and every other off; "" is the library as it is. */
export function choose(key: string): void {
  active = key;
}

/** Notes the sites that are passed from now on, if anywhere. */
export function notePassed(into: Set<string> | undefined): void {
  passed = into;
}

/** Plain accesses instead of synchronising ones, where memory is weak; set by whoever lets it be. */
export let weak: Synchronising | undefined;
export function weakenWith(accesses: Synchronising | undefined): void {
  weak = accesses;
}
/** The same for sites at which nothing but a barrier is missing: without weak memory that is no mutation. */
export function weakens(key: string): boolean {
  return at(key) && weak !== undefined;
}

type Exchange = "compareExchange" | "add" | "or" | "and";
type Words = Int32Array;

function inTwo(words: Synchronising, shared: Words, index: number, change: (old: number) => number): number {
  const old = words.load(shared, index);
  const value = change(old) | 0;
  if (value !== old) words.store(shared, index, value);
  return old;
}

/** What one access does, in two, between which another member can run. */
export const split: {
  readonly [name in Exchange]: (words: Synchronising, ...operands: Parameters<Synchronising[name]>) => number;
} = {
  compareExchange: (words, shared, index, expected, replacement) =>
    inTwo(words, shared, index, (old) => (old === (expected | 0) ? replacement : old)),
  add: (words, shared, index, delta) => inTwo(words, shared, index, (old) => old + delta),
  or: (words, shared, index, bits) => inTwo(words, shared, index, (old) => old | bits),
  and: (words, shared, index, bits) => inTwo(words, shared, index, (old) => old & bits),
};
