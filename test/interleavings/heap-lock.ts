/** The lock of the heap, taken as the library takes it: scenarios need some lock. */
import { NO_ENTRY, Op } from "#src/layout/member-slot.js";
import { REGION_HEADER } from "#src/layout/region-header.js";
import { blockedOnLock, isFree, tryLock } from "#src/locking/robust-lock.js";
import type { LocalQueue } from "#src/members/waits.js";
import type { MemberOf } from "./world.js";

export const HEAP_LOCK = REGION_HEADER.at.heapLock / 4;

/** Waits until the member has it, in an operation that `member.end()` ends. */
export function takeHeapLock({ membership: { member, waits } }: MemberOf, queue: LocalQueue): void {
  waits.sync(
    {
      what: "locking",
      queue,
      owner: queue,
      attempt: () => {
        member.begin(Op["heap.allocate"], NO_ENTRY);
        return tryLock(member, HEAP_LOCK) ? true : blockedOnLock(member, HEAP_LOCK);
      },
      remains: () => isFree(member, HEAP_LOCK),
    },
    undefined,
  );
}
