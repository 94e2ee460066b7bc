import { DEATH_BYTES, DEATH_RECORD, MEMBER_SLOT, SLOT_BYTES } from "../layout/member-slot.js";
import { PAGE_BYTES, REGION_HEADER } from "../layout/region-header.js";

/** Word indexes (4-byte units from the start of the region) of what the header and the member table hold. */

const header = REGION_HEADER.at;
export const HEADER = {
  magic0: header.magic0 >> 2,
  magic1: header.magic1 >> 2,
  state: header.state >> 2,
  maxMembers: header.maxMembers >> 2,
  maxPages: header.maxPages >> 2,
  epoch: header.epoch >> 2,
  committedPages: header.committedPages >> 2,
  attachments: header.attachments >> 2,
  deaths: header.deaths >> 2,
  heapRover: header.heapRover >> 2,
  slotsUsed: header.slotsUsed >> 2,
  grownPages: header.grownPages >> 2,
  heapLock: header.heapLock >> 2,
  spaceWaiters: header.spaceWaiters >> 2,
  directoryWaiters: header.directoryWaiters >> 2,
  directoryLock: header.directoryLock >> 2,
  directorySegments: header.directorySegments >> 2,
  bootId: header.bootId >> 2,
  diskState: header.diskState >> 2,
  unclean: header.unclean >> 2,
  inode: header.inode >> 3,
  device: header.device >> 3,
} as const;

const slot = MEMBER_SLOT.at;
/** Word offsets inside a member slot. */
export const SLOT = {
  state: slot.state >> 2,
  generation: slot.generation >> 2,
  pid: slot.pid >> 2,
  threadId: slot.threadId >> 2,
  startTime: slot.startTime >> 3,
  joinedAt: slot.joinedAt >> 3,
  labelBytes: slot.labelBytes >> 2,
  effect: slot.effect >> 2,
  bell: slot.bell >> 2,
  armed: slot.armed >> 2,
  operation: slot.operation >> 2,
  ledgerPage: slot.ledgerPage >> 2,
  argument: slot.argument >> 2,
  reaping: slot.reaping >> 2,
  syncSet: slot.syncSet >> 2,
  syncWaits: slot.syncWaits >> 2,
  label: slot.label,
} as const;

const death = DEATH_RECORD.at;
/** Word offsets inside a death record. */
export const DEATH = {
  sequence: death.sequence >> 2,
  slot: death.slot >> 2,
  generation: death.generation >> 2,
  pid: death.pid >> 2,
  threadId: death.threadId >> 2,
  operation: death.operation >> 2,
  effect: death.effect >> 2,
  labelBytes: death.labelBytes >> 2,
  noticedAt: death.noticedAt >> 3,
  nameBytes: death.nameBytes >> 2,
  label: death.label,
  name: death.name,
} as const;

/** Geometry of a region, read once from its (validated) header. */
export interface Geometry {
  readonly maxMembers: number;
  readonly maxPages: number;
  /** Words of a member set that can hold bits. */
  readonly setWords: number;
  readonly memberTablePage: number;
  readonly deathTablePage: number;
  readonly pageMapPage: number;
  readonly heapPage: number;
}

export const slotWord = (geometry: Geometry, slotIndex: number): number =>
  (geometry.memberTablePage * PAGE_BYTES + slotIndex * SLOT_BYTES) >> 2;
export const deathWord = (geometry: Geometry, record: number): number =>
  (geometry.deathTablePage * PAGE_BYTES + record * DEATH_BYTES) >> 2;
