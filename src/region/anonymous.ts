import { ShmkitError } from "../base/errors.js";
import { checkResult } from "../base/system-errors.js";
import { native, requireLinux } from "../native/addon.js";
import { build, enter, type Attached } from "./attach.js";
import type { Place } from "./names.js";
import type { CheckedOptions } from "./options.js";
import { tryLockAttach, unlockAttach } from "../memory/attach-lock.js";
import { inspectHeader } from "./region-file.js";
import type { Steps } from "../memory/steps.js";

/**
 * Regions without a name, on a memfd: whoever is given a descriptor can attach, and the memory goes with the last descriptor and
 * the last member, which is the kernel's business. Sealed, so that nobody can cut it short under the others.
 */

const {
  MFD_CLOEXEC,
  MFD_ALLOW_SEALING,
  F_ADD_SEALS,
  F_GET_SEALS,
  F_SEAL_SHRINK,
  F_SEAL_SEAL,
  F_SEAL_GROW,
  F_SEAL_WRITE,
} = native.constants() as Record<string, number>;

/** Linux 5.1; not among the numbers of the addon. */
const F_SEAL_FUTURE_WRITE = 0x10;
const HINDERING = F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;

/** What it is called in messages and in /proc/PID/maps. */
export const ANONYMOUS: Place = { name: "anonymous", path: "memfd:shmkit", directory: "", onDisk: false };

const RETRY_MS = 2;

export function* createAnonymous(options: CheckedOptions): Steps<Attached> {
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const descriptor = checkResult(native.memfd_create("shmkit", flags, false), "memfd_create");
  let attached: Attached | undefined;
  try {
    attached = yield* build(descriptor, ANONYMOUS, options);
    // The second one: nobody can add a seal against growth either.
    checkResult(native.fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL), "fcntl(F_ADD_SEALS)");
    attached.membership.start(ANONYMOUS.path, false);
    return attached;
  } catch (error) {
    attached?.membership.segment.close();
    yield { closing: descriptor };
    throw error;
  }
}

/** Attaches to what somebody has handed over. The given descriptor is only read. */
export function* attachToDescriptor(given: number, options: CheckedOptions): Steps<Attached> {
  requireLinux("an anonymous region");
  // Its description is shared with others, and so would be the locks that were taken with it.
  const descriptor = checkResult(native.reopen(given), "open", `/proc/self/fd/${given}`);
  let attached: Attached | undefined;
  try {
    while (!tryLockAttach(descriptor, ANONYMOUS.path)) yield { delayMs: RETRY_MS };
    const header = inspectHeader(descriptor, ANONYMOUS.path);
    checkAnonymous(descriptor, given, header.lifetime);
    attached = yield* enter(descriptor, ANONYMOUS, header, options);
    return attached;
  } finally {
    unlockAttach(descriptor);
    if (attached === undefined) yield { closing: descriptor };
  }
}

function checkAnonymous(descriptor: number, given: number, lifetime: Attached["lifetime"]): void {
  const bad = (why: string): ShmkitError =>
    new ShmkitError("ERR_BAD_REGION", `descriptor ${given} is no anonymous region: ${why}`, { actual: given });
  if (lifetime !== "anonymous") throw bad(`it has a name, by which it is opened (its lifetime is "${lifetime}")`);
  const seals = native.fcntl(descriptor, F_GET_SEALS, 0);
  if (seals < 0 || (seals & F_SEAL_SHRINK) === 0) throw bad("somebody could cut it short (F_SEAL_SHRINK is missing)");
  if ((seals & HINDERING) !== 0) throw bad("somebody has sealed it against being written or growing");
}
