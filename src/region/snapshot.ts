import { readdirSync } from "node:fs";
import { ShmkitError } from "../base/errors.js";
import { checkResult, ERRNO } from "../base/system-errors.js";
import { native } from "../native/addon.js";
import { readPipeStatistics, type PipeStatistics } from "../channels/pipe-statistics.js";
import { readShape } from "../channels/pipe-shape.js";
import { PAGE_WORDS, type HeapStatistics } from "../heap/page-heap.js";
import type { Kind } from "../layout/heap.js";
import { PAGE_BYTES } from "../layout/region-header.js";
import { Segment } from "../memory/segment.js";
import { COUNTER_WORD } from "../values/counter.js";
import * as words from "#words";
import { inspectHeader, statOf } from "./region-file.js";
import type { LifetimeName } from "./geometry.js";
import { readMembers, type MemberInfo } from "./members.js";
import { Membership } from "./membership.js";
import { DIRECTORY, pathOf, PREFIX } from "./names.js";

/** A named object as seen from outside. */
export interface ObjectInfo {
  readonly name: string;
  readonly kind: Kind;
  readonly createdAt: Date;
  /** Of a pipe. */
  readonly pipe?: PipeStatistics;
  /** Of a counter. */
  readonly value?: bigint;
  /** Of a mutex: slot of its owner. */
  readonly ownerSlot?: number;
}

/** A region as seen from outside, without attaching. */
export interface RegionInfo {
  readonly name: string;
  readonly path: string;
  readonly uid: number;
  readonly mode: number;
  readonly lifetime: LifetimeName;
  readonly createdAt: Date;
  readonly epoch: string;
  /** Memory backed now and at most, in bytes, without the tables. */
  readonly sizeBytes: number;
  readonly maxSizeBytes: number;
  readonly heap: HeapStatistics;
  readonly members: readonly MemberInfo[];
  readonly objects: readonly ObjectInfo[];
}

/** Names of the files that look like regions, valid or not. */
export function regionNames(): string[] {
  return readdirSync(DIRECTORY)
    .filter((file) => file.startsWith(PREFIX))
    .map((file) => file.slice(PREFIX.length))
    .sort();
}

/**
 * Looks at a region without attaching: no slot, no locks, no trace. Undefined when there is none of that name.
 * @throws ERR_BAD_REGION, ERR_VERSION, ERR_PERMISSION
 */
export function snapshot(name: string): RegionInfo | undefined {
  const path = pathOf(name);
  const descriptor = native.openExisting(path, false);
  if (descriptor === -ERRNO.missing) return undefined;
  checkResult(descriptor, "open", path);
  let segment: Segment | undefined;
  try {
    const header = inspectHeader(descriptor, path);
    const { geometry } = header;
    segment = new Segment(descriptor, geometry.maxPages * PAGE_BYTES, path, { writable: false, shared: false });
    const { heap, directory, member } = new Membership(segment, descriptor, geometry, name, -1);
    const { uid, mode } = statOf(descriptor, path);
    const info: RegionInfo = {
      name,
      path,
      uid,
      mode,
      lifetime: header.lifetime,
      createdAt: header.createdAt,
      epoch: header.epoch,
      sizeBytes: header.committedBytes,
      maxSizeBytes: (geometry.maxPages - geometry.heapPage) * PAGE_BYTES,
      heap: heap.statistics(),
      members: readMembers(segment, geometry, descriptor, -1),
      objects: directory.list().map((ref) => {
        const base = ref.page * PAGE_WORDS;
        const common = { name: ref.name, kind: ref.kind, createdAt: ref.createdAt };
        const view = member.segment;
        if (ref.kind === "pipe") {
          const shape = readShape(member, heap, ref.page, `${name}/${ref.name}`);
          return { ...common, pipe: readPipeStatistics(view, shape, geometry.setWords) };
        }
        if (ref.kind === "counter")
          return { ...common, value: words.load64(view.longs, base / 2 + COUNTER_WORD.value) };
        const owner = words.load(view.words, base) - 1;
        return owner < 0 ? common : { ...common, ownerSlot: owner };
      }),
    };
    segment.checkNotLost();
    return info;
  } finally {
    segment?.close();
    native.close(descriptor);
  }
}

/** Every valid region this user can look at. */
export function snapshots(): RegionInfo[] {
  const found: RegionInfo[] = [];
  for (const name of regionNames()) {
    try {
      const info = snapshot(name);
      if (info !== undefined) found.push(info);
    } catch (error) {
      if (!(error instanceof ShmkitError)) throw error;
    }
  }
  return found;
}
