import { struct } from "./descriptor.js";

export const PIPE_BYTES = 1024;
/** Bytes of a lease slot before its inline message; a slot is this plus the pipe's inlineLimit, in multiples of 64. */
export const LEASE_HEADER_BYTES = 64;
export const RECORD_HEADER_BYTES = 8;
/** Body of a record whose message lies in a block of its own: {page u32, generation u32}. */
export const BLOCK_REFERENCE_BYTES = 8;

export const RecordKind = { bytes: 1, value: 2, wrap: 3 } as const;
/** Flag beside the kind: the body is a block reference. */
export const IN_BLOCK = 0x100;

export const LeaseState = { free: 0, held: 1, returned: 2 } as const;
export const packLease = (state: number, owner: number): number => (owner << 8) | state;
export const leaseState = (word: number): number => word & 0xff;
/** Slot + 1 of the holder. */
export const leaseOwner = (word: number): number => word >>> 8;

export const PIPE = struct(
  "pipe",
  PIPE_BYTES,
  "A bounded queue: senders serialise on tailLock, receivers on headLock. The object's block holds this header, then the lease slots, then the ring of records. Fields of one side come in two copies; the low bit of the side's counter says which copy counts, so that one store of the counter publishes them all.",
  // prettier-ignore
  [
    [0, "capacity", "u32", "messages", "creator", "fixed", "same"],
    [4, "ringUnits", "u32", "8-byte units of the ring, a power of two", "creator", "fixed", "same"],
    [8, "maxLeased", "u32", "lease slots", "creator", "fixed", "same"],
    [12, "inlineLimit", "u32", "bytes; longer messages get a block of their own", "creator", "fixed", "same"],
    [16, "leaseOffset", "u32", "bytes from the start of the object", "creator", "fixed", "same"],
    [20, "ringOffset", "u32", "bytes from the start of the object", "creator", "fixed", "same"],
    [24, "closed", "u32", "1: nothing more can be sent", "tailLock", "publish", "closed or not"],
    [28, "leaseBytes", "u32", "bytes of a lease slot: 64 + inlineLimit, rounded up to 64", "creator", "fixed", "same"],
    [64, "tailLock", "u32[16]", "lock of the senders", "see lock", "atomic", "freed by recovery"],
    [128, "sent", "u32", "messages sent (wraps)", "tailLock", "publish", "a message is sent exactly if this counts it"],
    [144, "tailPosition0", "u32", "8-byte units (wraps); copy for even sent", "tailLock", "plain", "the copy that does not count is garbage"],
    [148, "highWater0", "u32", "greatest depth seen by a sender", "tailLock", "plain", "as above"],
    [152, "sentTotal0", "f64", "messages", "tailLock", "plain", "as above"],
    [160, "sentBytes0", "f64", "bytes of messages", "tailLock", "plain", "as above"],
    [176, "tailPosition1", "u32", "copy for odd sent", "tailLock", "plain", "as above"],
    [180, "highWater1", "u32", "as above", "tailLock", "plain", "as above"],
    [184, "sentTotal1", "f64", "as above", "tailLock", "plain", "as above"],
    [192, "sentBytes1", "f64", "as above", "tailLock", "plain", "as above"],
    [256, "headLock", "u32[16]", "lock of the receivers", "see lock", "atomic", "freed by recovery"],
    [320, "received", "u32", "messages taken from the ring (wraps)", "headLock", "publish", "a message left the ring exactly if this counts it"],
    [336, "headPosition0", "u32", "8-byte units (wraps); copy for even received", "headLock", "plain", "the copy that does not count is garbage"],
    [344, "receivedTotal0", "f64", "messages", "headLock", "plain", "as above"],
    [352, "receivedBytes0", "f64", "bytes of messages", "headLock", "plain", "as above"],
    [368, "headPosition1", "u32", "copy for odd received", "headLock", "plain", "as above"],
    [376, "receivedTotal1", "f64", "as above", "headLock", "plain", "as above"],
    [384, "receivedBytes1", "f64", "as above", "headLock", "plain", "as above"],
    [448, "returnedHint", "u32", "1: a lease slot may be in state returned", "whoever returned one, afterwards; a receiver under headLock resets it before it looks", "publish", "recovery sets it"],
    [452, "redelivered", "u32", "leased messages delivered again (wraps)", "headLock", "plain", "statistic"],
    [512, "notEmpty", "u32[8]", "member set: receivers", "each member its own bit", "atomic", "cleared by recovery"],
    [544, "notFull", "u32[8]", "member set: senders", "each member its own bit", "atomic", "cleared by recovery"],
    [576, "drained", "u32[8]", "member set: wait until everything is received", "each member its own bit", "atomic", "cleared by recovery"],
    [608, "leaseFree", "u32[8]", "member set: receivers under lease, while no lease slot is free", "each member its own bit", "atomic", "cleared by recovery"],
  ],
);
/** Distance between the two copies of a side's fields. */
export const COPY_BYTES = 32;

export const LEASE_SLOT = struct(
  "lease_slot",
  LEASE_HEADER_BYTES,
  "A message that was taken under lease and is not acknowledged yet. Leaving the ring, it keeps its place by its sequence. The message follows, unless it lies in a block: whatever fitted the ring fits here, so that taking a lease never allocates.",
  // prettier-ignore
  [
    [0, "state", "u32", "holder slot + 1 << 8 | 0 free, 1 held, 2 returned", "free and returned: headLock; held: its holder", "publish", "held by a dead member: recovery returns it"],
    [4, "length", "u32", "bytes of the message", "headLock, before state", "plain", "same"],
    [8, "kind", "u32", "record kind and IN_BLOCK", "headLock, before state", "plain", "same"],
    [12, "page", "u32", "head page of the block, with IN_BLOCK", "headLock, before state", "plain", "same"],
    [16, "deliveries", "u32", "times delivered, this one included", "headLock", "plain", "same"],
    [20, "generation", "u32", "of the block, with IN_BLOCK", "headLock, before state", "plain", "same"],
    [24, "sequence", "f64", "number of the message in the pipe, from 0", "headLock, before state", "plain", "same"],
    [32, "leasedAt", "f64", "milliseconds since 1970", "headLock", "plain", "statistic"],
  ],
);

export const RECORD = struct(
  "record",
  RECORD_HEADER_BYTES,
  "A message in the ring, followed by its body and padding to 8 bytes. Contiguous: a wrap record sends the reader to the start of the ring.",
  // prettier-ignore
  [
    [0, "length", "u32", "bytes of the message (not of the body)", "tailLock, before sent", "plain", "not counted by sent: garbage"],
    [4, "kind", "u32", "1 bytes, 2 value, 3 wrap; + 0x100 in a block; sender slot << 16", "tailLock, before sent", "plain", "as above"],
  ],
);
