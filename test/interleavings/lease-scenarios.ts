/** Leases: taken, acknowledged, given back, and returned by the death of their holder. */
import type { Lease, Pipe } from "shmkit";
import { PENDING, type Call, type Model } from "./linearizability.js";
import { message, numberOf, pipes, receives, rest, sends } from "./pipe-scenarios.js";
import { anything, survivor, within, type Calls, type Role, type Scenario } from "./scenario.js";
import type { MemberOf, World } from "./world.js";

interface Leased {
  /** In the pipe or given back, in the order of sending. */
  readonly queue: readonly number[];
  readonly held: readonly (readonly [thread: number, number: number])[];
}

/** Messages are sent in ascending order, so that the place of one that comes back is known. */
function leasing(
  capacity: number,
  maxLeased: number,
  mortal: number,
  initial: Leased = { queue: [], held: [] },
): Model<Leased> {
  const back = (queue: readonly number[], numbers: readonly number[]): number[] =>
    [...queue, ...numbers].sort((a, b) => a - b);
  return {
    initial,
    step({ queue, held }, { name, argument }, answer, thread) {
      const heldBy = (one: number): number[] => held.flatMap(([holder, number]) => (holder === one ? [number] : []));
      const without = (one: number): Leased["held"] => held.filter(([holder]) => holder !== one);
      switch (name) {
        case "send":
          // What came back may be more than the ring holds.
          return queue.length < capacity + maxLeased ? [{ queue: [...queue, argument as number], held }] : [];
        case "lease":
          if (queue.length === 0 || (answer !== PENDING && answer !== queue[0])) return [];
          return [{ queue: queue.slice(1), held: [...held, [thread, queue[0]]] }];
        case "ack":
          return heldBy(thread).length > 0 ? [{ queue, held: without(thread) }] : [];
        case "nack":
          return heldBy(thread).length > 0 ? [{ queue: back(queue, heldBy(thread)), held: without(thread) }] : [];
        case "recover":
          return [{ queue: back(queue, heldBy(mortal)), held: without(mortal) }];
        default:
          return held.length === 0 && JSON.stringify(queue) === JSON.stringify(answer) ? [{ queue: [], held }] : [];
      }
    },
  };
}

const LEASE: Call = { name: "lease" };
const ACK: Call = { name: "ack", operation: "pipe.ack" };
const NACK: Call = { name: "nack", operation: "pipe.nack" };

function lease(pipe: Pipe<Uint8Array>, call: Calls): Lease<Uint8Array> {
  let taken!: Lease<Uint8Array>;
  call(LEASE, () => {
    taken = pipe.receiveSync({ lease: true });
    return numberOf(taken.value);
  });
  return taken;
}

/** Leases one and settles it, in one way or the other. */
const works = (name: string, pipe: Pipe<Uint8Array>, settle: "ack" | "nack"): Role => ({
  name,
  run: (call) => {
    const taken = lease(pipe, call);
    call(settle === "ack" ? ACK : NACK, () => taken[settle]());
  },
});

type RolesOf = (pipes: Pipe<Uint8Array>[]) => Role[];

const onLeases = (name: string, members: number, capacity: number, deaths: number, rolesOf: RolesOf): Scenario => ({
  name,
  algorithm: "leases",
  members,
  deaths,
  tell: (world) => {
    const made = pipes(world, { capacity, maxLeased: 1 });
    return { roles: rolesOf(made), model: leasing(capacity, 1, 0), after: rest("p") };
  },
});

const givesBack = (name: string, pipe: Pipe<Uint8Array>, taken: Lease<Uint8Array>, index = 0): Role => ({
  name,
  run: (call) => call(NACK, () => pipe.settleLease(index, taken.sequence, false)),
});

/** With so many messages in the pipe, of which some may be out on lease: what counts is that nobody sleeps for ever. */
const held = (
  name: string,
  members: number,
  messages: number,
  rolesOf: (pipes: Pipe<Uint8Array>[], members: readonly MemberOf[]) => Role[],
  maxLeased = 2,
): Scenario => ({
  name,
  algorithm: "leases",
  members,
  deaths: 0,
  tell: (world: World) => {
    const made = pipes(world, { capacity: messages, maxLeased });
    for (let number = 1; number <= messages; number++) made[0].sendSync(message(number));
    return { roles: rolesOf(made, world.members), model: anything };
  },
});

export const LEASE_SCENARIOS: readonly Scenario[] = [
  onLeases("lease-ack", 3, 2, 0, ([a, b, c]) => [
    sends("sender", a, message, 1, 2),
    works("one", b, "ack"),
    works("two", c, "ack"),
  ]),
  onLeases("lease-nack", 3, 2, 0, ([a, b, c]) => [
    sends("sender", a, message, 1, 2),
    works("one", b, "nack"),
    works("two", c, "ack"),
  ]),
  // One is given back while another that was is taken.
  {
    name: "lease-hint",
    algorithm: "leases",
    members: 2,
    deaths: 0,
    tell: (world) => {
      const made = pipes(world, { capacity: 3, maxLeased: 2 });
      const [a, b] = made;
      [1, 2, 3].forEach((number) => a.sendSync(message(number)));
      a.receiveSync({ lease: true });
      b.receiveSync({ lease: true }).nack();
      const first: Role = { name: "holder", run: (call) => call(NACK, () => a.settleLease(0, 0, false)) };
      const model = leasing(3, 2, 0, { queue: [2, 3], held: [[0, 1]] });
      return { roles: [first, works("taker", b, "ack")], model, after: rest("p") };
    },
  },
  // Two were given back: while one is being taken, the hint at the other is away for a moment.
  held("lease-two-returned", 2, 2, ([a, b]) => {
    for (const lease of [a, b].map((pipe) => pipe.receiveSync({ lease: true }))) lease.nack();
    return [receives("one", a, 1), receives("two", b, 1)];
  }),
  // Two are given back by members that ring the same one: it passes on what it leaves.
  held("lease-returned-by-two", 4, 4, ([a, b, c, d]) => {
    const [one, two] = [a, b].map((pipe) => pipe.receiveSync({ lease: true }));
    const leases = (name: string, pipe: Pipe<Uint8Array>): Role => ({ name, run: (call) => void lease(pipe, call) });
    return [givesBack("one", a, one), givesBack("two", b, two, 1), leases("three", c), leases("four", d)];
  }),
  // One comes back to a pipe in which there is nothing else.
  held("lease-back", 2, 1, ([a, b]) => {
    const taken = a.receiveSync({ lease: true });
    return [givesBack("holder", a, taken), receives("receiver", b, 1)];
  }),
  held("lease-holder-leaves", 2, 1, ([a, b], [{ membership }]) => {
    a.receiveSync({ lease: true });
    return [
      { name: "leaver", run: (call) => call(NACK, () => void membership.leave("memory", false)) },
      receives("receiver", b, 1),
    ];
  }),
  // Whoever gives up waiting for a place of a lease passes on the ring that was meant for it.
  held(
    "lease-deadline",
    3,
    3,
    ([a, b, c]) => {
      const taken = a.receiveSync({ lease: true });
      const work = (pipe: Pipe<Uint8Array>, options?: { timeoutMs: number }): void =>
        pipe.receiveSync({ lease: true, ...options }).ack();
      return [
        { name: "holder", run: (call) => call(ACK, () => a.settleLease(0, taken.sequence, true)) },
        {
          name: "impatient",
          hasDeadline: true,
          run: (call) => void call(LEASE, () => within((options) => work(b, options))),
        },
        { name: "patient", run: (call) => call(LEASE, () => work(c)) },
      ];
    },
    1,
  ),
  onLeases("lease-holder-dies", 3, 2, 1, ([a, b, c]) => [
    works("mortal", a, "ack"),
    survivor(sends("sender", b, message, 1, 2)),
    survivor(works("two", c, "ack")),
  ]),
  onLeases("lease-returner-dies", 2, 2, 1, ([a, b]) => [
    works("mortal", a, "nack"),
    survivor({
      name: "two",
      run: (call) => {
        sends("", b, message, 1, 2).run(call);
        works("", b, "ack").run(call);
      },
    }),
  ]),
];
