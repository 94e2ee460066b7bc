/** Segment pools: a segment is one member's at a time, a ticket is good for one, and what the dead had comes back. */
import * as words from "#words";
import assert from "node:assert/strict";
import { ShmkitError, type PooledSegment, type SegmentPool, type SegmentTicket } from "shmkit";
import { PAGE_BYTES } from "#src/layout/region-header.js";
import { segmentOwner } from "#src/layout/segment-pool.js";
import { freeSegment, SEGMENT_POOL_WORD } from "#src/values/segment-pool-words.js";
import { PENDING, type Model } from "./linearizability.js";
import { survivor, TIMED_OUT, within, type Calls, type Role, type Scenario, type Story } from "./scenario.js";
import type { World } from "./world.js";

/** What a call answers on a segment that is not there any more, or will not come back. */
const GONE = "gone";
function unlessGone<T>(act: () => T): T | typeof GONE {
  try {
    return act();
  } catch (error) {
    if (error instanceof ShmkitError && error.code === "ERR_NOT_HELD") return GONE;
    throw error;
  }
}

/** Who has which segment: a thread, or nobody yet of one that was handed over. */
type Held = readonly (readonly [id: number, holder: number])[];
const OUT = -1;

const possession = (initial: Held, mortal: number | undefined): Model<Held> => ({
  initial,
  step(held, { name, argument }, answer, thread) {
    const without = (holder: number): Held => held.filter(([, one]) => one !== holder);
    const ids = held.map(([id]) => id);
    // What it had handed over, too: whose that was is not noted here.
    const gone = name === "recover" ? mortal : name === "leave" ? thread : undefined;
    if (gone !== undefined) return [without(gone), without(gone).filter(([, holder]) => holder !== OUT)];
    if (name === "release") return [without(thread)];
    if (name === "hand over") return [held.map(([id, holder]) => [id, holder === thread ? OUT : holder] as const)];
    if (answer === GONE || answer === TIMED_OUT) return [held];
    const taken: Held[] =
      name === "acquire"
        ? [0, 1].filter((id) => !ids.includes(id)).map((id) => [...held, [id, thread]])
        : [argument as number]
            .filter((id) => ids.includes(id) && held.some(([one, holder]) => one === id && holder === OUT))
            .map((id) => [...held.filter(([one]) => one !== id), [id, thread]]);
    if (answer === PENDING) return [held, ...taken];
    return taken.filter((after) => after.at(-1)![0] === answer);
  },
});

const NOTHING = undefined as PooledSegment | undefined;

/** Acquires one by a call; its segment. */
function acquire(pool: SegmentPool, call: Calls): PooledSegment {
  let segment!: PooledSegment;
  call({ name: "acquire" }, () => (segment = pool.acquireSync()).id);
  return segment;
}
/** Takes one over, or back; undefined when it is gone. */
function take(
  call: Calls,
  name: "take over" | "take back",
  id: number,
  act: () => PooledSegment,
): PooledSegment | undefined {
  let segment = NOTHING;
  call({ name, argument: id }, () => unlessGone(() => (segment = act()).id));
  return segment;
}
const release = (call: Calls, segment: PooledSegment | undefined): void => {
  if (segment !== undefined) call({ name: "release" }, () => void segment.release());
};
function handOver(call: Calls, segment: PooledSegment): SegmentTicket {
  let ticket!: SegmentTicket;
  call({ name: "hand over" }, () => void (ticket = segment.handOver()));
  return ticket;
}

const uses = (name: string, pool: SegmentPool): Role => ({
  name,
  run: (call) => release(call, acquire(pool, call)),
});
const usesUntil = (name: string, pool: SegmentPool): Role => ({
  name,
  hasDeadline: true,
  run: (call) => {
    let segment = NOTHING;
    call({ name: "acquire" }, () => within((options) => (segment = pool.acquireSync(options)).id));
    release(call, segment);
  },
});

/** Has handed over what the ticket names, and takes it back as often as it comes. */
const asks = (name: string, pool: SegmentPool, ticket: SegmentTicket, rounds: number): Role => ({
  name,
  run: (call) => {
    for (let round = 1, out = ticket; ; round++) {
      const segment = take(call, "take back", out.id, () => pool.takeBackSync(out));
      if (segment === undefined || round === rounds) {
        release(call, segment);
        return;
      }
      out = handOver(call, segment);
    }
  },
});
/** The same, which takes it back by itself if nobody comes for it. */
const asksUntil = (name: string, pool: SegmentPool, ticket: SegmentTicket): Role => ({
  name,
  hasDeadline: true,
  run: (call) => {
    let segment = NOTHING;
    call({ name: "take back", argument: ticket.id }, () => {
      const id = within((options) => unlessGone(() => (segment = pool.takeBackSync(ticket, options)).id));
      // Who has taken it over meanwhile hands it back or dies.
      if (id === TIMED_OUT && unlessGone(() => pool.takeOver(ticket).release()) === GONE)
        unlessGone(() => pool.takeBackSync(ticket).release());
      return id;
    });
    release(call, segment);
  },
});
/** Takes it over, hands it back, and waits for it to come again. */
const answers = (name: string, pool: SegmentPool, ticket: SegmentTicket): Role => ({
  name,
  run: (call) => {
    let segment = take(call, "take over", ticket.id, () => pool.takeOver(ticket));
    while (segment !== undefined) {
      const out = handOver(call, segment);
      segment = take(call, "take back", out.id, () => pool.takeBackSync(out));
    }
  },
});
/** Gives up the pool, with what it has sent, and opens it again. */
const comesAndGoes = (name: string, pool: SegmentPool, again: () => SegmentPool): Role => ({
  name,
  run: (call) => call({ name: "leave" }, () => (pool.detach(), void again())),
});
/** Takes it over and keeps it from the others for a moment. */
const takes = (name: string, pool: SegmentPool, ticket: SegmentTicket): Role => ({
  name,
  run: (call) =>
    release(
      call,
      take(call, "take over", ticket.id, () => pool.takeOver(ticket)),
    ),
});

function scenario(
  name: string,
  segments: number,
  members: number,
  mortal: number | undefined,
  rolesOf: (pools: SegmentPool[], open: (member: number) => SegmentPool) => { roles: Role[]; held: Held },
): Scenario {
  return {
    name: `segment-pool-${name}`,
    algorithm: "segment pool",
    members,
    deaths: mortal === undefined ? 0 : 1,
    tell: (world: World): Story => {
      const open = (member: number): SegmentPool =>
        world.members[member].region.segmentPools.openOrCreateSync("p", { segments, segmentBytes: 4 });
      const { roles, held } = rolesOf(
        world.members.map((_, member) => open(member)),
        open,
      );
      return {
        roles,
        model: possession(held, mortal),
        check: (_, { region }) => {
          const { free, waiting, held } = region.segmentPools.openSync("p").statistics();
          assert.deepEqual({ free, waiting, held }, { free: segments, waiting: [], held: [] }, "nothing is left");
        },
      };
    },
  };
}

const acquiring = (
  name: string,
  segments: number,
  members: number,
  rolesOf: (pools: SegmentPool[]) => Role[],
  mortal?: number,
) => scenario(name, segments, members, mortal, (pools) => ({ roles: rolesOf(pools), held: [] }));

/** The first member has handed a segment over before the story begins. */
const handing = (
  name: string,
  members: number,
  rolesOf: (pools: SegmentPool[], ticket: SegmentTicket, open: (member: number) => SegmentPool) => Role[],
  mortal?: number,
): Scenario =>
  scenario(name, 1, members, mortal, (pools, open) => {
    const ticket = pools[0].tryAcquire()!.handOver();
    return { roles: rolesOf(pools, ticket, open), held: [[ticket.id, OUT]] };
  });

/** What a dead sender had handed over is freed, or taken over at the same moment: one of the two. */
const freedOrTaken: Scenario = {
  name: "segment-pool-freed-or-taken",
  algorithm: "segment pool",
  members: 3,
  deaths: 0,
  tell: ({ members }) => {
    const pools = members.map(({ region }) =>
      region.segmentPools.openOrCreateSync("p", { segments: 1, segmentBytes: 4 }),
    );
    const [taker, medic, sender] = pools;
    const ticket = sender.tryAcquire()!.handOver();
    const { member } = members[1].membership;
    const index = medic.ref.page * (PAGE_BYTES / 4) + SEGMENT_POOL_WORD.owners + ticket.id;
    const takes = (): unknown => unlessGone(() => taker.takeOver(ticket).id);
    const frees = (): boolean => {
      const word = words.load(member.segment.words, index);
      return segmentOwner(word) === members[2].slot + 1 && freeSegment(member, index, word);
    };
    return {
      roles: [
        { name: "taker", run: (call) => void call({ name: "take over" }, takes) },
        { name: "medic", run: (call) => void call({ name: "free" }, frees) },
      ],
      model: {
        initial: false,
        // Whoever comes second finds it gone.
        step: (isGone: boolean, _call, answer) => (isGone === (answer === GONE || answer === false) ? [true] : []),
      },
    };
  },
};

export const SEGMENT_POOL_SCENARIOS: readonly Scenario[] = [
  freedOrTaken,
  acquiring("2-of-1", 1, 2, ([a, b]) => [uses("one", a), uses("two", b)]),
  acquiring("3-of-2", 2, 3, ([a, b, c]) => [uses("one", a), uses("two", b), uses("three", c)]),
  acquiring("give-up", 1, 3, ([a, b, c]) => [uses("one", a), usesUntil("impatient", b), uses("three", c)]),
  acquiring(
    "holder-dies",
    1,
    3,
    ([a, b, c]) => [uses("mortal", a), survivor(uses("two", b)), survivor(uses("three", c))],
    0,
  ),
  handing("rounds", 2, ([a, b], ticket) => [asks("asker", a, ticket, 2), answers("answerer", b, ticket)]),
  handing("two-takers", 3, ([a, b, c], ticket) => [
    asks("asker", a, ticket, 1),
    takes("one", b, ticket),
    takes("two", c, ticket),
  ]),
  handing("sender-comes-and-goes", 2, ([a, b], ticket, open) => [
    comesAndGoes("sender", a, () => open(0)),
    answers("answerer", b, ticket),
  ]),
  handing("revoked", 2, ([a, b], ticket) => [takes("sender", a, ticket), takes("taker", b, ticket)]),
  handing(
    "asker-dies",
    2,
    ([a, b], ticket) => [asks("mortal", a, ticket, 2), survivor(answers("answerer", b, ticket))],
    0,
  ),
  handing("sender-dies", 2, ([a, b], ticket) => [takes("mortal", a, ticket), survivor(takes("taker", b, ticket))], 0),
  handing(
    "answerer-dies",
    2,
    ([a, b], ticket) => [survivor(asksUntil("asker", a, ticket)), answers("mortal", b, ticket)],
    1,
  ),
];
