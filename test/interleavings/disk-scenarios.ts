/** Regions on disk: whoever dies while it marks one in use leaves what the next one does not take for more than it is. */
import assert from "node:assert/strict";
import { DiskState, LOCK_BASE } from "#src/layout/region-header.js";
import { SlotState } from "#src/layout/member-slot.js";
import { tryLockAttach, unlockAttach } from "#src/memory/attach-lock.js";
import { HEADER, SLOT, slotWord } from "#src/members/region-words.js";
import { native } from "#src/native/addon.js";
import { markInUse, markNew } from "#src/region/disk-state.js";
import type { Steps } from "#src/memory/steps.js";
import { anything, type Scenario } from "./scenario.js";
import type { World } from "./world.js";

/** Any open file: what counts is that it stays the same one. */
const DESCRIPTOR = 1;

/** Goes on with everything at once; writing to the disk is a system call like another. */
function drive(steps: Steps<void>): void {
  while (steps.next(native.probe(DESCRIPTOR, LOCK_BASE + 1, 1)).done !== true);
}

/** Nobody is attached any more. */
function empty({ machine, geometry, members }: World): void {
  members.forEach(({ slot }, id) => {
    machine.unlockByte(slot, id);
    machine.words[slotWord(geometry, slot) + SLOT.state] = SlotState.free;
  });
}

/** As whoever opens it does, with the attach byte. */
function opens({ segment, geometry }: World): void {
  tryLockAttach(DESCRIPTOR, "memory");
  drive(markInUse(segment, DESCRIPTOR, geometry, "memory", false));
  unlockAttach(DESCRIPTOR);
}

/** The machine went down while the region was in use. Whoever opens it first may die at it, and another one is next. */
export const DISK_SCENARIOS: readonly Scenario[] = [
  {
    name: "disk-opener-dies",
    algorithm: "regions on disk",
    members: 1,
    deaths: 1,
    tell: (world) => {
      const { machine, members } = world;
      const { words } = machine;
      drive(markNew(members[0].membership));
      words[HEADER.bootId] ^= 1;
      empty(world);
      // The page that says so is newer than the one of its owner's slot.
      words[HEADER.directoryLock] = 1;
      Object.assign(members[1].membership.deaths, { recoverAndReport: () => opens(world) });
      return {
        roles: [{ name: "mortal", run: (call) => void call({ name: "open" }, () => opens(world)) }],
        model: anything,
        check: () => {
          assert.equal(words[HEADER.unclean], 1, "it is known to be a mixture");
          assert.equal(words[HEADER.diskState], DiskState.inUse);
        },
      };
    },
  },
];
