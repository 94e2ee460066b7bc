import { LEASE_HEADER_BYTES, LEASE_SLOT, PIPE } from "../layout/pipe.js";

const pipe = PIPE.at;
/** Word offsets (4 bytes; 8 where named so) of a pipe. */
export const PIPE_WORD = {
  capacity: pipe.capacity >> 2,
  ringUnits: pipe.ringUnits >> 2,
  maxLeased: pipe.maxLeased >> 2,
  inlineLimit: pipe.inlineLimit >> 2,
  leaseOffset: pipe.leaseOffset >> 2,
  ringOffset: pipe.ringOffset >> 2,
  leaseBytes: pipe.leaseBytes >> 2,
  closed: pipe.closed >> 2,
  tailLock: pipe.tailLock >> 2,
  sent: pipe.sent >> 2,
  tailPosition: pipe.tailPosition0 >> 2,
  highWater: pipe.highWater0 >> 2,
  /** 8-byte units. */
  sentTotal: pipe.sentTotal0 >> 3,
  /** 8-byte units. */
  sentBytes: pipe.sentBytes0 >> 3,
  headLock: pipe.headLock >> 2,
  received: pipe.received >> 2,
  headPosition: pipe.headPosition0 >> 2,
  /** 8-byte units. */
  receivedTotal: pipe.receivedTotal0 >> 3,
  /** 8-byte units. */
  receivedBytes: pipe.receivedBytes0 >> 3,
  returnedHint: pipe.returnedHint >> 2,
  redelivered: pipe.redelivered >> 2,
  notEmpty: pipe.notEmpty >> 2,
  notFull: pipe.notFull >> 2,
  drained: pipe.drained >> 2,
  leaseFree: pipe.leaseFree >> 2,
} as const;

const lease = LEASE_SLOT.at;
/** Word offsets of a lease slot. */
export const LEASE_WORD = {
  state: lease.state >> 2,
  length: lease.length >> 2,
  kind: lease.kind >> 2,
  page: lease.page >> 2,
  deliveries: lease.deliveries >> 2,
  generation: lease.generation >> 2,
  /** 8-byte units. */
  sequence: lease.sequence >> 3,
  /** 8-byte units. */
  leasedAt: lease.leasedAt >> 3,
  /** Bytes. */
  inline: LEASE_HEADER_BYTES,
} as const;
