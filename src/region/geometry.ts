import * as words from "#words";
import { ShmkitError } from "../base/errors.js";
import { packRun, PAGE_MAP_BYTES, RunState } from "../layout/heap.js";
import { DEATH_BYTES, DEATH_RECORDS, SLOT_BYTES } from "../layout/member-slot.js";
import {
  BYTE_ORDER_MARK,
  LAYOUT_VERSION,
  Lifetime,
  LOCK_BASE,
  MAGIC_0,
  MAGIC_1,
  MEMBER_LIMIT,
  PAGE_BYTES,
  REGION_HEADER,
  RegionState,
} from "../layout/region-header.js";
import type { Segment } from "../memory/segment.js";
import { randomWord } from "../native/random.js";
import { HEADER, type Geometry } from "../members/region-words.js";

/**
 * When a region ends: `"process"`, with its last member; `"kernel"`, when it is removed or the system restarts; `"file"`, when
 * it is removed; `"anonymous"`, when nobody has it attached or holds a descriptor of it.
 */
export type LifetimeName = "process" | "kernel" | "file" | "anonymous";
const at = REGION_HEADER.at;
const word = (offset: number): number => offset >> 2;
const pages = (bytes: number): number => Math.ceil(bytes / PAGE_BYTES);

/** More than the largest region has, and few enough for every index below it. */
const MAX_PAGES = 2 ** 24;

/** Dimensions of a region to be made. */
export interface Dimensions {
  readonly geometry: Geometry;
  /** Pages of the file that are backed at first; what lies between the page map's backed part and the heap is not. */
  readonly heapPages: number;
}

/** Dimensions for a size and its maximum, both in bytes of the heap and everything else. */
export function dimensionsFor(sizeBytes: number, maxSizeBytes: number, maxMembers: number): Dimensions {
  const memberTablePage = 1;
  const deathTablePage = memberTablePage + pages(maxMembers * SLOT_BYTES);
  const pageMapPage = deathTablePage + pages(DEATH_RECORDS * DEATH_BYTES);
  const maxHeapPages = pages(maxSizeBytes);
  const heapPage = pageMapPage + pages((pageMapPage + maxHeapPages * 1.01 + 64) * PAGE_MAP_BYTES);
  const maxPages = heapPage + maxHeapPages;
  return {
    geometry: {
      maxMembers,
      maxPages,
      setWords: Math.ceil(maxMembers / 32),
      memberTablePage,
      deathTablePage,
      pageMapPage,
      heapPage,
    },
    heapPages: pages(sizeBytes),
  };
}

/** The ranges of the file to back before anything is written: header and tables with the used part of the page map, then the heap. */
export function rangesToBack({
  geometry,
  heapPages,
}: Dimensions): readonly (readonly [offset: number, length: number])[] {
  const mapped = geometry.pageMapPage * PAGE_BYTES + (geometry.heapPage + heapPages) * PAGE_MAP_BYTES;
  return [
    [0, pages(mapped) * PAGE_BYTES],
    [geometry.heapPage * PAGE_BYTES, heapPages * PAGE_BYTES],
  ];
}

/** Writes the header and the first run. Nobody else can see the file yet. */
export function writeHeader(segment: Segment, { geometry, heapPages }: Dimensions, lifetime: LifetimeName): void {
  const shared = segment.words;
  const set = (offset: number, value: number): void => words.write(shared, word(offset), value);
  set(at.magic0, MAGIC_0);
  set(at.magic1, MAGIC_1);
  set(at.layoutVersion, LAYOUT_VERSION);
  set(at.byteOrder, BYTE_ORDER_MARK);
  set(at.headerBytes, PAGE_BYTES);
  set(at.pageBytes, PAGE_BYTES);
  set(at.maxMembers, geometry.maxMembers);
  set(at.maxPages, geometry.maxPages);
  set(at.lifetime, Lifetime[lifetime]);
  set(at.epoch, randomWord() | 0);
  set(at.epoch + 4, randomWord() | 0);
  words.writeFloat(segment.floats, at.createdAt / 8, Date.now());
  set(at.memberTablePage, geometry.memberTablePage);
  set(at.deathTablePage, geometry.deathTablePage);
  set(at.pageMapPage, geometry.pageMapPage);
  set(at.heapPage, geometry.heapPage);
  words.writeFloat(segment.floats, at.lockBase / 8, LOCK_BASE);
  set(at.heapRover, geometry.heapPage);
  words.write(
    shared,
    (geometry.pageMapPage * PAGE_BYTES + geometry.heapPage * PAGE_MAP_BYTES) / 4,
    packRun(RunState.free, false, 0, heapPages),
  );
  words.store(shared, HEADER.committedPages, geometry.heapPage + heapPages);
  words.store(shared, HEADER.state, RegionState.open);
}

/** What a header says, checked. */
export interface HeaderFacts {
  readonly geometry: Geometry;
  readonly lifetime: LifetimeName;
  readonly createdAt: Date;
  readonly closed: boolean;
  readonly committedBytes: number;
  readonly epoch: string;
}

/**
 * Reads and checks a header against the file's length, which is asked for last: while the region grows, the file is
 * longer before the header says so.
 * @throws ERR_BAD_REGION, ERR_VERSION
 */
export function readHeader(segment: Segment, lengthOfFile: () => number, path: string): HeaderFacts {
  const shared = segment.words;
  const get = (offset: number): number => words.load(shared, word(offset)) >>> 0;
  const bad = (what: string): ShmkitError =>
    new ShmkitError(
      "ERR_BAD_REGION",
      `${path} is no valid shmkit region: ${what}; if nobody needs it, remove it (shmkit rm)`,
      { path },
    );
  if (get(at.magic0) !== MAGIC_0 || get(at.magic1) !== MAGIC_1) throw bad("the magic number is wrong");
  if (get(at.byteOrder) !== BYTE_ORDER_MARK) throw bad("the byte order is foreign");
  if (get(at.layoutVersion) !== LAYOUT_VERSION)
    throw new ShmkitError(
      "ERR_VERSION",
      `${path} has layout version ${get(at.layoutVersion)}, this package reads ${LAYOUT_VERSION}; use the same version in every process`,
      { path, expected: LAYOUT_VERSION, actual: get(at.layoutVersion) },
    );
  const maxMembers = get(at.maxMembers);
  const geometry: Geometry = {
    maxMembers,
    maxPages: get(at.maxPages),
    setWords: Math.ceil(maxMembers / 32),
    memberTablePage: get(at.memberTablePage),
    deathTablePage: get(at.deathTablePage),
    pageMapPage: get(at.pageMapPage),
    heapPage: get(at.heapPage),
  };
  const committed = get(at.committedPages);
  const lifetime = (Object.keys(Lifetime) as (keyof typeof Lifetime)[]).find(
    (name) => Lifetime[name] === get(at.lifetime),
  );
  const sane =
    get(at.headerBytes) === PAGE_BYTES &&
    get(at.pageBytes) === PAGE_BYTES &&
    maxMembers >= 1 &&
    maxMembers <= MEMBER_LIMIT &&
    geometry.memberTablePage === 1 &&
    geometry.deathTablePage >= 1 + pages(maxMembers * SLOT_BYTES) &&
    geometry.pageMapPage >= geometry.deathTablePage + pages(DEATH_RECORDS * DEATH_BYTES) &&
    geometry.heapPage >= geometry.pageMapPage + pages(geometry.maxPages * PAGE_MAP_BYTES) &&
    geometry.maxPages <= MAX_PAGES &&
    geometry.maxPages > geometry.heapPage &&
    committed > geometry.heapPage &&
    committed <= geometry.maxPages &&
    words.readFloat(segment.floats, at.lockBase / 8) === LOCK_BASE &&
    lifetime !== undefined;
  if (!sane) throw bad("its dimensions are impossible");
  const fileBytes = lengthOfFile();
  if (fileBytes < committed * PAGE_BYTES)
    throw bad(`it was truncated to ${fileBytes} of ${committed * PAGE_BYTES} bytes`);
  return {
    geometry,
    lifetime,
    createdAt: new Date(words.readFloat(segment.floats, at.createdAt / 8)),
    closed: get(at.state) !== RegionState.open,
    committedBytes: (committed - geometry.heapPage) * PAGE_BYTES,
    epoch: [get(at.epoch + 4), get(at.epoch)].map((half) => half.toString(16).padStart(8, "0")).join(""),
  };
}
