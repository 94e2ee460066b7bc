/**
 * The instrumented double of `src/memory/words.ts`, chosen by the condition `shmkit-instrumented`. Every access is a step
 * of the member whose mapping it goes to: it is counted, it can be the one at which the member is stopped, and it has no
 * effect once that member is dead. A bulk copy is two steps: stopped at the first, nothing has happened; at the second,
 * the whole destination is garbage.
 *
 * The functions can be replaced as a whole: the machine of `test/interleavings` answers every access itself.
 */
import { agentOf, type Agent } from "./agent.js";

export type Words = Int32Array;
export interface Memory {
  readonly words: Words;
  readonly bytes: Uint8Array;
}

function readsWord(words: Words, index: number): number {
  return agentOf(words).step() ? Atomics.load(words, index) : 0;
}

function writesWord(words: Words, index: number, value: number): void {
  const agent = agentOf(words);
  if (!agent.step()) return;
  if (Atomics.exchange(words, index, value) !== (value | 0)) agent.changed();
}

function stepsCompareExchange(words: Words, index: number, expected: number, replacement: number): number {
  const agent = agentOf(words);
  if (!agent.step()) return 0;
  const found = Atomics.compareExchange(words, index, expected, replacement);
  if (found === (expected | 0) && found !== (replacement | 0)) agent.changed();
  return found;
}

type Modify = (words: Words, index: number, operand: number) => number;

function modifies(words: Words, index: number, operand: number, modify: Modify): number {
  const agent = agentOf(words);
  if (!agent.step()) return 0;
  const before = modify(words, index, operand);
  if (Atomics.load(words, index) !== before) agent.changed();
  return before;
}

function stepsAdd(words: Words, index: number, delta: number): number {
  return modifies(words, index, delta, Atomics.add);
}
function stepsOr(words: Words, index: number, bits: number): number {
  return modifies(words, index, bits, Atomics.or);
}
function stepsAnd(words: Words, index: number, bits: number): number {
  return modifies(words, index, bits, Atomics.and);
}

function stepsReadFloat(floats: Float64Array, index: number): number {
  return agentOf(floats).step() ? floats[index] : 0;
}
function stepsWriteFloat(floats: Float64Array, index: number, value: number): void {
  const agent = agentOf(floats);
  if (!agent.step()) return;
  if (!Object.is(floats[index], value)) agent.changed();
  floats[index] = value;
}
function stepsLoad64(longs: BigInt64Array, index: number): bigint {
  return agentOf(longs).step() ? Atomics.load(longs, index) : 0n;
}
function stepsStore64(longs: BigInt64Array, index: number, value: bigint): void {
  const agent = agentOf(longs);
  if (!agent.step()) return;
  if (Atomics.exchange(longs, index, value) !== value) agent.changed();
}

/** What a destination holds whose copy was stopped half-way: nothing that anybody wrote. */
const GARBAGE = 0xa5;

/** The two steps of a bulk write. False for a dead member. */
function bulkWrite(agent: Agent, target: Uint8Array, at: number, length: number): boolean {
  if (!agent.step()) return false;
  if (length > 0) agent.changed();
  if (agent.stopsNext) target.fill(GARBAGE, at, at + length);
  agent.step();
  if (length > 0) agent.changed();
  return true;
}

/** The two steps of a bulk read: its destination is private, so that nobody sees it half done but the reader. */
function bulkRead(agent: Agent, target: Uint8Array, at: number, length: number): boolean {
  if (!agent.step()) return false;
  if (agent.stopsNext) target.fill(GARBAGE, at, at + length);
  agent.step();
  return true;
}

function stepsCopyIn(memory: Memory, at: number, source: Uint8Array, from: number, length: number): void {
  const { bytes } = memory;
  if (bulkWrite(agentOf(bytes), bytes, at, length)) bytes.set(source.subarray(from, from + length), at);
}
function stepsCopyOut(memory: Memory, at: number, length: number, target: Uint8Array): void {
  const { bytes } = memory;
  if (bulkRead(agentOf(bytes), target, 0, length)) target.set(bytes.subarray(at, at + length));
}
function stepsCopy(memory: Memory, at: number, length: number): Uint8Array {
  const { bytes } = memory;
  const target = new Uint8Array(length);
  if (bulkRead(agentOf(bytes), target, 0, length)) target.set(bytes.subarray(at, at + length));
  return target;
}
function stepsZero(memory: Memory, at: number, length: number): void {
  const { bytes } = memory;
  if (bulkWrite(agentOf(bytes), bytes, at, length)) bytes.fill(0, at, at + length);
}

const STEPPED = {
  load: readsWord,
  loadFresh: readsWord,
  loadBehind: readsWord,
  read: readsWord,
  store: writesWord,
  storeRelease: writesWord,
  write: writesWord,
  compareExchange: stepsCompareExchange,
  add: stepsAdd,
  or: stepsOr,
  and: stepsAnd,
  readFloat: stepsReadFloat,
  writeFloat: stepsWriteFloat,
  load64: stepsLoad64,
  store64: stepsStore64,
  copyIn: stepsCopyIn,
  copyOut: stepsCopyOut,
  copy: stepsCopy,
  zero: stepsZero,
};

/** Everything that `#words` exports. */
export type WordsDouble = typeof STEPPED;

export let {
  load,
  loadFresh,
  loadBehind,
  read,
  store,
  storeRelease,
  write,
  compareExchange,
  add,
  or,
  and,
  readFloat,
  writeFloat,
  load64,
  store64,
  copyIn,
  copyOut,
  copy,
  zero,
} = STEPPED;

/** The accesses that synchronise. */
export type Synchronising = Pick<WordsDouble, (typeof SYNCHRONISING)[number]>;
export const SYNCHRONISING = [
  ...(["load", "loadFresh", "loadBehind", "store", "storeRelease", "compareExchange"] as const),
  ...(["add", "or", "and", "load64", "store64"] as const),
] as const;

/** By what a call site reaches them, where call sites are told apart: see `test/interleavings/weakening.ts`. */
export let site: (place: string) => Synchronising;
export function tellSitesApart(by: (place: string) => Synchronising): void {
  site = by;
}

/** Answers every access by other functions from now on. */
export function replaceWords(double: WordsDouble): void {
  ({
    load,
    loadFresh,
    loadBehind,
    read,
    store,
    storeRelease,
    write,
    compareExchange,
    add,
    or,
    and,
    readFloat,
    writeFloat,
    load64,
    store64,
    copyIn,
    copyOut,
    copy,
    zero,
  } = double);
}
