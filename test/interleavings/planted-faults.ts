/** Faults to prove the instrument by: each makes the members do something else than their code says. */
import { DIRECTORY_ENTRY, ENTRY_BYTES } from "#src/layout/heap.js";
import { MEMBER_SLOT, SLOT_BYTES } from "#src/layout/member-slot.js";
import { PIPE } from "#src/layout/pipe.js";
import { PAGE_BYTES, REGION_HEADER } from "#src/layout/region-header.js";
import type { WordsDouble } from "../instruments/words.js";
import type { World } from "./world.js";

/** Replaces some of what the members use instead of `#words`. */
export type Plant = (double: WordsDouble, world: World) => Partial<WordsDouble>;

const pipeWord = (world: World, field: keyof typeof PIPE.at): number => {
  const pipe = world.first.region.pipes.openSync("p");
  return (pipe.ref.page * PAGE_BYTES + PIPE.at[field]) / 4;
};

/** Nobody's doorbell changes, so that wakes find nobody either who is about to sleep. */
export const dropRings: Plant = ({ add, load }, { geometry }) => {
  const first = (geometry.memberTablePage * PAGE_BYTES + MEMBER_SLOT.at.bell) / 4;
  const isBell = (index: number): boolean =>
    index >= first &&
    (index - first) % (SLOT_BYTES / 4) === 0 &&
    index < first + (geometry.maxMembers * SLOT_BYTES) / 4;
  return {
    add: (words, index, delta) => (isBell(index) ? load(words, index) : add(words, index, delta)),
  };
};

/** A message is counted as sent before it is there. */
export const publishFirst: Plant = ({ copyIn, storeRelease }, world) => {
  const sent = pipeWord(world, "sent");
  let late: (() => void) | undefined;
  return {
    copyIn: (...copy) => {
      late = () => copyIn(...copy);
    },
    storeRelease: (words, index, value) => {
      storeRelease(words, index, value);
      if (index === sent) late?.();
    },
  };
};

/** A directory entry is used again under the generation it had. */
export const keepGeneration: Plant = ({ write }, { machine }) => {
  const segment = machine.words[REGION_HEADER.at.directorySegments / 4] * PAGE_BYTES;
  const isGeneration = (index: number): boolean => {
    const at = index * 4 - segment;
    return at >= 0 && at < 32 * ENTRY_BYTES && at % ENTRY_BYTES === DIRECTORY_ENTRY.at.generation;
  };
  return {
    write: (words, index, value) => {
      write(words, index, isGeneration(index) ? value - 1 : value);
    },
  };
};

/** What is unlocked becomes free before what was written under the lock is seen. */
export const unlockWeakly: Plant = ({ store, write }, world) => {
  const lock = pipeWord(world, "tailLock");
  return {
    store: (words, index, value) => (index === lock ? write : store)(words, index, value),
  };
};

/** A message is published by a plain store. */
export const publishWeakly: Plant = ({ storeRelease, write }, world) => {
  const sent = pipeWord(world, "sent");
  return {
    storeRelease: (words, index, value) => (index === sent ? write : storeRelease)(words, index, value),
  };
};

/** The place of a message that was received is free before the message has been read. */
export const freeWeakly: Plant = ({ storeRelease, write }, world) => {
  const received = pipeWord(world, "received");
  return {
    storeRelease: (words, index, value) => (index === received ? write : storeRelease)(words, index, value),
  };
};
