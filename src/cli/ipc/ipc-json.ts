/** What `shmkit ipcs --json` says of each object: what the kernel tells, whose it is by name, and who has it. */
import type { PosixObject } from "./posix-objects.js";
import { keyOf, type SystemVObject } from "./system-v-tables.js";
import type { Holder } from "./processes.js";
import type { UserNames } from "./user-names.js";

/** Rights as numbers of nine bits; flags of the kind are facts of their own. */
const RIGHTS = 0o777;

export const systemVJson = (object: SystemVObject, names: UserNames, more: object): object => ({
  ...object,
  key: keyOf(object),
  mode: object.mode & RIGHTS,
  owner: names.user(object.uid),
  ...more,
});

export function posixJson(object: PosixObject, names: UserNames, processes: readonly Holder[]): object {
  const { key: _, ...facts } = object;
  return { ...facts, owner: names.user(object.uid), processes };
}
