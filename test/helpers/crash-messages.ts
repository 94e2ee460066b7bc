/** Messages whose every byte is known, a pipe with some in it, and what comes out of it in the end. */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import type { Pipe, PipeOptions } from "shmkit";
import { LEASE_SLOT, LeaseState, leaseState, PIPE } from "#src/layout/pipe.js";
import { PAGE_BYTES } from "#src/layout/region-header.js";
import { takeAll } from "./crash-scene.js";
import type { Actor, World } from "./crash-world.js";

/** A message, and how often it may have been delivered when it comes out. */
export interface Message {
  readonly value: unknown;
  readonly deliveries: readonly number[];
}

const cache = new Map<string, Uint8Array>();

/** Bytes that are the same for the same number and length, and different for others. */
export function bytes(number: number, length: number): Message {
  const key = `${number}:${length}`;
  let value = cache.get(key);
  if (value === undefined) {
    value = Uint8Array.from({ length }, (_, i) => (Math.imul(number * 31 + i + 1, 0x9e3779b1) >>> 24) & 0xff);
    cache.set(key, value);
  }
  return { value, deliveries: [1] };
}

export const object = (number: number): Message => ({
  value: { number, text: `message ${number}`, list: [1.5, null, true] },
  deliveries: [1],
});

/** The same message, delivered so often. */
export const delivered = (message: Message, ...deliveries: number[]): Message => ({ value: message.value, deliveries });

const isSame = (a: unknown, b: unknown): boolean =>
  a instanceof Uint8Array && b instanceof Uint8Array ? Buffer.compare(a, b) === 0 : isDeepStrictEqual(a, b);

const describe = (list: readonly Message[]): string =>
  `[${list
    .map(({ value, deliveries }) => {
      const what =
        value instanceof Uint8Array
          ? `${value.length} bytes ${Buffer.from(value.subarray(0, 8)).toString("hex")}`
          : JSON.stringify(value);
      return `${what} ×${deliveries.join("|")}`;
    })
    .join(", ")}]`;

const isList = (out: readonly Message[], expected: readonly Message[]): boolean =>
  out.length === expected.length &&
  out.every(
    ({ value, deliveries }, i) => isSame(value, expected[i].value) && expected[i].deliveries.includes(deliveries[0]),
  );

/** A pipe that the first member made and the victim has open. */
export class PipeStage {
  /** What is in the pipe, in order; acts of others keep it true. */
  pending: Message[] = [];
  readonly mine: Pipe;
  readonly others: Pipe;
  private readonly base: number;

  constructor(
    readonly world: World,
    options: PipeOptions = {},
    readonly name = "letters",
  ) {
    this.others = world.first.do(() =>
      world.first.region.pipes.createSync(name, { capacity: 3, maxLeased: 2, ...options }),
    );
    this.mine = world.victim.do(() => world.victim.region.pipes.openSync(name));
    this.base = this.others.ref.page * PAGE_BYTES;
  }

  private set(field: keyof typeof PIPE.at, value: number): void {
    this.world.words[(this.base + PIPE.at[field]) >> 2] = value;
  }
  /** A word of the pipe, as it lies there. */
  get(field: keyof typeof PIPE.at): number {
    return this.world.words[(this.base + PIPE.at[field]) >> 2] >>> 0;
  }

  /** As a recovery leaves it. */
  hint(): void {
    this.set("returnedHint", 1);
  }
  /** Whether somebody holds the lease of a slot. */
  isHeld(slot: number): boolean {
    const lease = this.base + this.get("leaseOffset") + slot * this.get("leaseBytes");
    return leaseState(this.world.words[(lease + LEASE_SLOT.at.state) >> 2]) === LeaseState.held;
  }

  /** Goes on as after so many messages and units; call while the pipe is empty. */
  startAt(counter: number, position: number): this {
    this.set("sent", counter);
    this.set("received", counter);
    for (const field of ["tailPosition0", "tailPosition1", "headPosition0", "headPosition1"] as const)
      this.set(field, position);
    return this;
  }

  /** The units of the ring. */
  get ringUnits(): number {
    return this.get("ringUnits");
  }

  /** Holds a lock as somebody who is stopped, until the result is called. */
  hold(lock: "tailLock" | "headLock"): () => void {
    return this.world.hold((this.base + PIPE.at[lock]) >> 2);
  }

  fill(...messages: Message[]): this {
    for (const message of messages) {
      assert.equal(
        this.world.first.do(() => this.others.trySend(message.value)),
        true,
      );
      this.pending.push(message);
    }
    return this;
  }

  /** The first member takes a message if there is one to be had; it is the oldest. */
  take(): void {
    const { first } = this.world;
    const value = first.do(() => this.others.tryReceive());
    if (value === undefined) return;
    const expected = this.pending.shift();
    assert.ok(isSame(value, expected?.value), "what others receive meanwhile is whole and in order");
  }

  /** The first member sends a message if it can. */
  put(message: Message): void {
    if (this.world.first.do(() => this.others.trySend(message.value))) this.pending.push(message);
  }

  /** The oldest messages were leased and given back so often. */
  giveBack(count = 1): this {
    const { first } = this.world;
    const leases = Array.from({ length: count }, () => first.do(() => this.others.tryReceive({ lease: true }))!);
    for (const lease of leases) first.do(() => lease.nack());
    this.pending = this.pending.map((message, i) =>
      i < count ? delivered(message, message.deliveries[0] + 1) : message,
    );
    return this;
  }

  /** Takes everything out. */
  private drain(witness: Actor): Message[] {
    const pipe = witness.region.pipes.openSync(this.name);
    const out: Message[] = [];
    const { sent } = pipe.statistics();
    let last = -1;
    takeAll(pipe, (lease) => {
      assert.ok(lease.sequence > last && lease.sequence < sent, `sequence ${lease.sequence} after ${last} of ${sent}`);
      last = lease.sequence;
      out.push({ value: lease.value, deliveries: [lease.deliveries] });
      lease.ack();
    });
    const { depth, leased, received, sentBytes, receivedBytes } = pipe.statistics();
    assert.deepEqual(
      { depth, leased, received, receivedBytes },
      { depth: 0, leased: 0, received: sent, receivedBytes: sentBytes },
    );
    return out;
  }

  /** Empties the pipe and tells which of two lists came out; undefined when they are the same. @throws when it is neither */
  outcome(witness: Actor, without: readonly Message[], having: readonly Message[]): boolean | undefined {
    const out = this.drain(witness);
    const isWithout = isList(out, without);
    const isHaving = isList(out, having);
    if (isWithout && isHaving) return undefined;
    assert.ok(isWithout || isHaving, `${describe(out)} came out, neither ${describe(without)} nor ${describe(having)}`);
    return isHaving;
  }
}
