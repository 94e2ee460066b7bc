/** Slots of members: taken, given up, and freed by recovery. */
import { join } from "#src/region/membership.js";
import type { Call, Model } from "./linearizability.js";
import { survivor, type Role, type Scenario } from "./scenario.js";
import type { MemberOf, World } from "./world.js";

const JOIN: Call = { name: "join" };
const LEAVE: Call = { name: "leave" };

/** The audit says whether each slot is taken by exactly one who lives; here every answer is right that names a slot. */
const slots: Model<number> = {
  initial: 0,
  step: (state) => [state],
};

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
  tell: (world) => ({ roles: rolesOf(world), model: slots }),
});

export const MEMBER_SCENARIOS: readonly Scenario[] = [
  onMembers("join-leave", 2, 0, 1, (world) => [leaves("leaver", world.members[0]), joins("joiner", world)]),
  onMembers("join-leaver-dies", 2, 1, 1, (world) => [
    leaves("mortal", world.members[0]),
    survivor(joins("joiner", world)),
  ]),
  onMembers("joiner-dies", 2, 1, 2, (world) => [joins("mortal", world), survivor(joins("joiner", world))]),
];
