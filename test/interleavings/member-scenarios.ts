/** Slots of members: taken, given up, and freed by recovery. */
import assert from "node:assert/strict";
import { DEATH_RECORDS, NO_ENTRY, Op } from "#src/layout/member-slot.js";
import type { Deaths, MemberDeath } from "#src/members/deaths.js";
import { DEATH, deathWord, HEADER } from "#src/members/region-words.js";
import { join } from "#src/region/membership.js";
import type { Call } from "./linearizability.js";
import { anything, survivor, type Role, type Scenario } from "./scenario.js";
import type { MemberOf, World } from "./world.js";

const JOIN: Call = { name: "join" };
const LEAVE: Call = { name: "leave" };

const joins = (name: string, { segment, geometry }: World): Role => ({
  name,
  run: (call) => {
    call(JOIN, () => join(segment, 1, geometry, "memory", new Uint8Array([110, 101, 119])).member.slot);
  },
});
const leaves = (name: string, { membership }: MemberOf): Role => ({
  name,
  run: (call) => {
    call(LEAVE, () => membership.leave("memory", false));
  },
});

/** Does no more than begin and end an operation. */
const idles = (name: string, { membership }: MemberOf): Role => ({
  name,
  run: (call) => {
    call({ name: "idle" }, () => {
      const { member } = membership;
      member.begin(Op["heap.allocate"], NO_ENTRY);
      member.withdrawn();
      member.end();
    });
  },
});

/** What a member is told of deaths while it does something. */
function toldOf({ membership: { deaths } }: MemberOf, act: (deaths: Deaths) => void): MemberDeath[] {
  const told: MemberDeath[] = [];
  deaths.onDeath = (death) => told.push(death);
  act(deaths);
  return told;
}

/** Whoever looks at all afterwards is told of every death once. */
function toldOnce({ machine, members }: World, witness: MemberOf): void {
  const dead = machine.threads.flatMap(({ id, isDead }) => (isDead ? [members[id].slot] : []));
  const told = toldOf(witness, (deaths) => deaths.recoverAndReport()).map(({ slot }) => slot);
  assert.deepEqual(told.sort(), dead.sort(), "each death is told once");
}

/** A death record all of whose fields say the same, about to be used again. */
const OLD = 7;
function lastRecord({ machine: { words }, geometry }: World, { membership }: MemberOf): void {
  const number = DEATH_RECORDS - 1;
  const record = deathWord(geometry, number);
  for (const field of ["slot", "generation", "pid", "threadId"] as const) words[record + DEATH[field]] = OLD;
  words[record + DEATH.sequence] = number + 1;
  words[HEADER.deaths] = number + DEATH_RECORDS;
  const { deaths } = membership as unknown as { deaths: { known: number; unfinished: Set<number> } };
  deaths.known = number + DEATH_RECORDS;
  deaths.unfinished.add(number);
}
const isWhole = ({ slot, generation, pid, threadId }: MemberDeath): boolean =>
  [slot, generation, pid, threadId].every((field) => (field === OLD) === (slot === OLD));

const onMembers = (
  name: string,
  members: number,
  deaths: number,
  free: number,
  rolesOf: (world: World) => Role[],
): Scenario => ({
  name,
  algorithm: "member slots",
  members,
  deaths,
  region: { maxMembers: members + deaths + 1 + free },
  tell: (world) => ({ roles: rolesOf(world), model: anything }),
});

export const MEMBER_SCENARIOS: readonly Scenario[] = [
  onMembers("join-leave", 2, 0, 1, (world) => [leaves("leaver", world.members[0]), joins("joiner", world)]),
  onMembers("join-leaver-dies", 2, 1, 1, (world) => [
    leaves("mortal", world.members[0]),
    survivor(joins("joiner", world)),
  ]),
  onMembers("joiner-dies", 2, 1, 2, (world) => [joins("mortal", world), survivor(joins("joiner", world))]),
  // Whoever leaves in order is not told of as dead.
  {
    ...onMembers("leave-watch", 2, 0, 0, () => []),
    tell: ({ members: [a, b] }) => ({
      roles: [
        leaves("leaver", a),
        {
          name: "watcher",
          run: (call) => {
            call({ name: "watch" }, () => toldOf(b, (deaths) => deaths.recoverAndReport()).length);
          },
        },
      ],
      model: {
        initial: undefined,
        step: (state, { name }, answer) => (name === "watch" && answer !== 0 ? [] : [state]),
      },
    }),
  },
  {
    ...onMembers("two-die", 2, 2, 0, () => []),
    tell: ({ members: [a, b] }) => ({
      roles: [idles("mortal1", a), idles("mortal2", b)],
      model: anything,
      check: toldOnce,
    }),
  },
  {
    ...onMembers("death-record", 2, 1, 0, () => []),
    weakSchedules: 3000,
    tell: (world) => {
      const [a, b] = world.members;
      lastRecord(world, b);
      const reads: Role = {
        name: "reader",
        run: (call) => {
          call({ name: "read" }, () =>
            toldOf(b, (deaths) => (deaths as unknown as { report(): void }).report()).every(isWhole),
          );
        },
      };
      return {
        roles: [idles("mortal", a), survivor(reads)],
        model: { initial: undefined, step: (state, _call, answer) => (answer === false ? [] : [state]) },
      };
    },
  },
];
