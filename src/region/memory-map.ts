import * as words from "#words";
import type { ObjectRef } from "../heap/object-plan.js";
import type { PageHeap } from "../heap/page-heap.js";
import { runOwner, runPages, RunState, runState } from "../layout/heap.js";
import { DIRECTORY_SEGMENTS, PAGE_BYTES } from "../layout/region-header.js";
import type { Member } from "../members/member.js";
import { HEADER } from "../members/region-words.js";

/**
 * What a page is for: the header; the tables of members, of deaths, and of what each page is for; the directory of
 * names; the own block of an object; another block, such as a long message; nothing now; nothing yet, and not backed.
 */
export type MemoryUse =
  "header" | "members" | "deaths" | "pageMap" | "directory" | "object" | "block" | "free" | "reserved";

/** A range of a region's file and what it is for. Neighbours of one use are one range. */
export interface MemoryRange {
  /** Where it begins in the region's file, in bytes. */
  readonly offsetBytes: number;
  /** How long it is, in bytes. */
  readonly lengthBytes: number;
  /** What it is for. */
  readonly use: MemoryUse;
  /** Runs of pages that it consists of. */
  readonly runs: number;
  /** Name of the object whose own block it is. */
  readonly object?: string;
  /** Of a block: slot of the member that allocated it. */
  readonly ownerSlot?: number;
}

type Facts = Pick<MemoryRange, "use" | "object" | "ownerSlot">;

class MapBuilder {
  readonly ranges: MemoryRange[] = [];

  add(page: number, pages: number, facts: Facts): void {
    const last = this.ranges.at(-1);
    const lengthBytes = pages * PAGE_BYTES;
    const joins = facts.use === "free" || facts.use === "block";
    if (joins && last !== undefined && last.use === facts.use && last.ownerSlot === facts.ownerSlot)
      this.ranges[this.ranges.length - 1] = {
        ...last,
        lengthBytes: last.lengthBytes + lengthBytes,
        runs: last.runs + 1,
      };
    else this.ranges.push({ offsetBytes: page * PAGE_BYTES, lengthBytes, ...facts, runs: 1 });
  }
}

/** What every page of a region is for, from the first to the last. Reads without locks. @throws ERR_CORRUPT */
export function memoryMap(member: Member, heap: PageHeap, refs: readonly ObjectRef[]): MemoryRange[] {
  const { memberTablePage, deathTablePage, pageMapPage, heapPage, maxPages } = member.geometry;
  const builder = new MapBuilder();
  builder.add(0, memberTablePage, { use: "header" });
  builder.add(memberTablePage, deathTablePage - memberTablePage, { use: "members" });
  builder.add(deathTablePage, pageMapPage - deathTablePage, { use: "deaths" });
  builder.add(pageMapPage, heapPage - pageMapPage, { use: "pageMap" });
  const purposes = new Map<number, Facts>();
  for (let segment = 0; segment < DIRECTORY_SEGMENTS; segment++)
    purposes.set(words.load(member.segment.words, HEADER.directorySegments + segment) >>> 0, { use: "directory" });
  for (const { page, name } of refs) purposes.set(page, { use: "object", object: name });
  let end = heapPage;
  for (const [page, run] of heap.runs()) {
    end = page + runPages(run);
    builder.add(page, runPages(run), runState(run) === RunState.free ? { use: "free" } : used(purposes.get(page), run));
  }
  if (end < maxPages) builder.add(end, maxPages - end, { use: "reserved" });
  return builder.ranges;
}

function used(purpose: Facts | undefined, run: number): Facts {
  if (purpose !== undefined) return purpose;
  const owner = runOwner(run) - 1;
  return owner < 0 ? { use: "block" } : { use: "block", ownerSlot: owner };
}
