import { DIRECTORY_ENTRY } from "../layout/heap.js";

const at = DIRECTORY_ENTRY.at;

/** Word offsets inside a directory entry; of `createdAt` in 64-bit words, of `name` in bytes. */
export const ENTRY = {
  state: at.state >> 2,
  kind: at.kind >> 2,
  generation: at.generation >> 2,
  page: at.page >> 2,
  nameBytes: at.nameBytes >> 2,
  nameHash: at.nameHash >> 2,
  createdAt: at.createdAt >> 3,
  options: at.options >> 2,
  openers: at.openers >> 2,
  parent: at.parent >> 2,
  parentGeneration: at.parentGeneration >> 2,
  name: at.name,
} as const;
