/** What there is when all members of a storm have gone. */
import type { Region } from "shmkit";
import { ENTRY_BYTES } from "#src/layout/heap.js";
import { LOCK_MANAGER_BYTES, LOCK_SEGMENTS } from "#src/layout/lock-manager.js";
import { DIRECTORY_SEGMENTS, FIRST_SEGMENT_ENTRIES, PAGE_BYTES, REGION_HEADER } from "#src/layout/region-header.js";
import { pagesFor } from "#src/heap/page-heap.js";
import { lockSegmentBytes, MANAGER_WORD } from "#src/sync/lock-requests.js";
import { lockTable } from "../helpers/lock-claims.js";
import { CAPACITY, COUNT, type SyncObjects } from "./plan.js";
import type { SyncRemains } from "./sync-model.js";

/** Looks at what members synchronised by: nothing is held, and nobody waits. */
export async function takeSyncStock(
  region: Region,
  objects: SyncObjects,
): Promise<{ sync: SyncRemains; problem: string | undefined }> {
  const { gate, places, tickets, tokens, countdown, pulse, mail, meeting } = objects;
  const { takeovers: _told, contended: _waited, ...left } = gate.statistics();
  const { held, pending } = await region.locks.query();
  const { arrived, expected } = meeting.statistics();
  pulse.set();
  const found = {
    gate: Object.values(left)
      .flat()
      .filter((value) => value !== undefined),
    places: [places.available, ...places.statistics().held, ...places.statistics().waiting],
    waiting: [...tickets.statistics().waiting, ...tokens.statistics().waiting, ...mail.statistics().waiting],
    locks: [...held, ...pending],
    pulses: [pulse.tryWait(), pulse.tryWait()],
    parties: [...arrived, ...expected],
  };
  const sound = { gate: [], places: [CAPACITY.places], waiting: [], locks: [], pulses: [true, false], parties: [] };
  const isSound = JSON.stringify(found) === JSON.stringify(sound);
  const { remaining } = countdown.statistics();
  return {
    sync: { tickets: tickets.available, tokens: tokens.statistics().taken, counted: COUNT - remaining },
    problem: isSound ? undefined : `with everybody gone there is ${JSON.stringify(found)}`,
  };
}

/** Blocks of the directory and of the lock manager, which stay. */
export function bytesThatStay(region: Region): number {
  const view = new DataView(region.buffer);
  const isThere = (address: number): boolean => view.getUint32(address, true) !== 0;
  let bytes = pagesFor(LOCK_MANAGER_BYTES) * PAGE_BYTES;
  for (let segment = 0; segment < DIRECTORY_SEGMENTS; segment++)
    if (isThere(REGION_HEADER.at.directorySegments + segment * 4))
      bytes += (FIRST_SEGMENT_ENTRIES << segment) * ENTRY_BYTES;
  const segments = lockTable(region).ref.page * PAGE_BYTES + MANAGER_WORD.segments * 4;
  for (let k = 0; k < LOCK_SEGMENTS; k++)
    if (isThere(segments + k * 4)) bytes += pagesFor(lockSegmentBytes(k)) * PAGE_BYTES;
  return bytes;
}
