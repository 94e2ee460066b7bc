/** A scenario on a machine: its threads, and the judgement of how a schedule ended. */
import {
  Effect,
  MEMBER_SLOT,
  operationCode,
  OPERATIONS,
  SLOT_BYTES,
  type OperationName,
} from "#src/layout/member-slot.js";
import { PAGE_BYTES } from "#src/layout/region-header.js";
import { audit } from "../helpers/crash-audit.js";
import { callsOf, isLinearizable, type Call } from "./linearizability.js";
import type { Thread } from "./machine.js";
import { TIMED_OUT, type Calls, type Scenario, type Story } from "./scenario.js";
import type { Plant } from "./planted-faults.js";
import { World, type MemberOf } from "./world.js";
import { rememberState } from "./private-state.js";

const RECOVER: Call = { name: "recover" };

export class Stage {
  readonly world: World;
  private readonly story: Story;
  private readonly calls: Call[][] = [];
  private readonly witness: MemberOf;
  private readonly restoreWitness: () => void;
  /** When only one may die, and once. */
  private readonly onlyMortal: number | undefined;
  /** Final states that were judged, with the histories that led there. */
  private readonly judged = new Set<string>();

  constructor(
    readonly scenario: Scenario,
    readonly seed = 0,
    plant?: Plant,
  ) {
    const { members, deaths, region } = scenario;
    const all = members + deaths + 1;
    this.world = new World({ ...region, members: all, maxMembers: region?.maxMembers ?? all });
    const { world } = this;
    const { machine } = world;
    this.story = scenario.tell(world);
    world.members.forEach(({ membership }, id) => (membership.member.rotation = (seed >> id) & 1));
    this.witness = world.members[all - 1];
    machine.nameOf = (index) => nameOf(world, index);
    this.story.roles.forEach((role, id) => {
      const calls: Call[] = (this.calls[id] = []);
      const call: Calls = (what, act) => {
        const number = machine.callsMade++;
        calls[number] = what;
        return machine.call(number, act);
      };
      world.thread(id, role.name, () => role.run(call), stateOf(world.members[id]));
    });
    for (let i = 0; i < deaths; i++) {
      const id = members + i;
      const { membership } = world.members[id];
      this.calls[id] = [RECOVER];
      const recover = (): void => void machine.call(0, () => membership.deaths.recoverAndReport());
      world.thread(id, `medic${i === 0 ? "" : i}`, recover, [membership], i + 1);
    }
    const mortals = [...this.story.roles.keys()].filter((id) => this.story.roles[id].isImmortal !== true);
    this.onlyMortal = mortals.length === 1 && deaths === 1 ? mortals[0] : undefined;
    this.restoreWitness = rememberState(stateOf(this.witness), machine.words.buffer);
    const { isBody } = this.story;
    if (isBody !== undefined) machine.isBody = isBody;
    if (plant !== undefined) Object.assign(machine.double, plant({ ...machine.double }, world));
    machine.settle();
  }

  /** Of a recoverer the only one who may die: the two are never there at the same time. */
  identityOf(thread: Thread): number {
    return thread.id < this.story.roles.length ? thread.id : (this.onlyMortal ?? thread.id);
  }

  hasDeadline(thread: Thread): boolean {
    return this.story.roles[thread.id]?.hasDeadline === true;
  }
  /** Those who recover may die as well, as long as there is another one. */
  mayDie(thread: Thread): boolean {
    const role = this.story.roles[thread.id];
    return role === undefined ? this.scenario.deaths > 1 : role.isImmortal !== true;
  }

  /** Judges the end of a schedule, in which nobody can go on. @throws what is wrong */
  judge(expired: readonly Thread[]): void {
    const { machine } = this.world;
    for (const thread of machine.threads)
      if (!thread.isDone && !thread.isDead && machine.deaths >= thread.afterDeaths)
        throw new Error(`${thread.name} sleeps for ever: nobody rang it`);
    for (const thread of expired)
      if (thread.results.at(-1) !== TIMED_OUT)
        throw new Error(`only its deadline woke ${thread.name}, although it could go on: nobody rang it`);
    const { history } = machine;
    const key = `${machine.hash}.${machine.hash2}|${history.map(({ thread, call, isReturn }) => `${thread}.${call}${isReturn ? `=${String(machine.threads[thread].results[call])}` : ""}`).join()}`;
    if (this.judged.has(key)) return;
    const { changes } = machine;
    try {
      this.judgeState();
    } finally {
      machine.takeBack(changes);
    }
    if (this.judged.size < 1_000_000) this.judged.add(key);
  }

  private judgeState(): void {
    const { world, story, witness } = this;
    const { machine } = world;
    this.restoreWitness();
    // What nobody may die of any more: removed objects go with the next one who has the directory.
    witness.membership.directory.trySweep();
    audit(machine.words.buffer, { isAlive: (slot) => machine.isAlive(slot), isIdle: true });
    const dead = machine.threads.filter((thread) => thread.isDead);
    const isRecovery = machine.history.map(({ thread, isReturn }) => isReturn && thread >= story.roles.length);
    const recovered = isRecovery.lastIndexOf(true);
    const calls = callsOf(
      machine.history,
      (thread, call) => this.calls[thread][call],
      (thread, call) => machine.threads[thread].results[call],
      (thread) => (recovered >= 0 && machine.threads[thread].isDead ? recovered : machine.history.length),
      (thread, { operation }) => (dead.length === 1 ? this.effectOf(thread, operation) : undefined),
    );
    let time = machine.history.length;
    const after: Calls = (call, act) => {
      const answer = act();
      time += 2;
      calls.push({ thread: world.members.length, call, answer, from: time, to: time + 1 });
      return answer;
    };
    story.after?.(witness, after);
    if (!isLinearizable(calls, story.model))
      throw new Error(
        `no order explains ${calls
          .map(
            ({ thread, call, answer }) =>
              `${machine.threads[thread]?.name ?? "witness"}.${call.name}(${show(call.argument)})=${show(answer)}`,
          )
          .join(", ")}`,
      );
    story.check?.(world, witness);
  }

  /** What the recovery says of the operation its member died in. */
  private effectOf(thread: number, operation: OperationName | undefined): boolean | undefined {
    const { machine, geometry, members } = this.world;
    if (!machine.threads[thread].isDead) return undefined;
    const base = (geometry.memberTablePage * PAGE_BYTES + members[thread].slot * SLOT_BYTES) / 4;
    const effect = machine.words[base + MEMBER_SLOT.at.effect / 4];
    const word = machine.words[base + MEMBER_SLOT.at.operation / 4];
    if (effect === Effect.idle || operation === undefined || OPERATIONS[operationCode(word)] !== operation)
      return undefined;
    return effect === Effect.committed;
  }
}

const show = (value: unknown): string =>
  value instanceof Uint8Array ? `<${value.join()}>` : String(JSON.stringify(value) ?? value);

/** Everything a member keeps in JavaScript. */
const stateOf = ({ membership, region }: MemberOf): object[] => {
  const { handles } = region as unknown as { handles: Map<string, object> };
  return [membership, handles];
};

/** Words by page and offset: enough to find a field in docs/layout.md. */
function nameOf({ geometry, machine }: World, index: number): string {
  const at = index * 4;
  const page = Math.floor(at / PAGE_BYTES);
  if (page >= geometry.maxPages) return `kernel+${index - (machine.regionBytes >> 2)}`;
  const offset = at % PAGE_BYTES;
  if (page === 0) return `header+${offset}`;
  if (page < geometry.deathTablePage) {
    const slot = at - geometry.memberTablePage * PAGE_BYTES;
    return `slot${Math.floor(slot / SLOT_BYTES)}+${slot % SLOT_BYTES}`;
  }
  if (page < geometry.pageMapPage) return `deaths+${at - geometry.deathTablePage * PAGE_BYTES}`;
  if (page < geometry.heapPage) return `map[${Math.floor((at - geometry.pageMapPage * PAGE_BYTES) / 8)}]+${at % 8}`;
  return `page${page}+${offset}`;
}
