import type { ObjectKind } from "./object-kind.js";

/** @internal A composite has nothing that changes: what its parts have is theirs. */
export const compositeKind: ObjectKind = {
  tookEffect: () => false,
  release: () => undefined,
  releaseOwn: () => false,
  sets: () => [],
  facts: () => ({}),
};
