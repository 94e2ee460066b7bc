import { struct } from "./descriptor.js";

/** Most parts of a composite object. */
export const MAX_PARTS = 64;

export const COMPOSITE_BYTES = 320;
export const COMPOSITE = struct(
  "composite",
  COMPOSITE_BYTES,
  "Several objects made, opened and removed as one. Never changed: the block says which directory entries its parts are.",
  // prettier-ignore
  [
    [0, "parts", "u32", "how many parts there are, 1–64", "creator, before it is published", "plain", "same"],
    [64, "entries", "u32[64]", "directory entries of the parts, in the order in which they were given", "creator, before it is published", "plain", "same"],
  ],
);
