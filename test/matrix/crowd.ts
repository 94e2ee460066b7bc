/**
 * Two processes of every runtime, all of them senders and receivers of one pipe; then one of each is killed in the middle.
 * What everybody wrote down, what was told of the deaths and what is left in the pipe must account for every message.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type MemberDeath, Region } from "shmkit";
import { audit } from "../helpers/crash-audit.js";
import type { ProcessMember } from "../helpers/driven-member.js";
import { uniqueRegionName } from "../helpers/leftovers.js";
import { Journal, readJournal } from "../storm/journal.js";
import { originOf } from "../storm/message.js";
import { judge, type Part } from "../storm/model.js";
import { COUNTERS, MUTEXES, useWallClock, WALL_CLOCK_ERROR_MS } from "../storm/plan.js";

/** What the crowd came to. */
export interface CrowdReport {
  readonly processes: number;
  readonly killed: number;
  /** Messages that were sent: their calls returned, or the sender's death says that it had sent them. */
  readonly messages: number;
}

/** Who takes part, and how. */
interface Role {
  readonly number: number;
  readonly kinds: number;
  readonly journal: string;
}

/** Time between two deaths, at most. */
const CALM_MS = 5;

/**
 * Sends a message and takes one, in turns, until the crowd is dissolved. No two steps in a row look the same in the
 * operation record, so that a death says what had come of the last one; and whoever has sent takes, so that there is always
 * a message for those who wait for one. Tells when it has had messages from every kind, goes on after the deaths, and rests.
 */
function takePart(member: ProcessMember, role: Role): Promise<void> {
  return member.run(async ({ region, load, say }, { number, kinds, journal: path }) => {
    const { Journal: Writer } = (await load("../storm/journal.js")) as typeof import("../storm/journal.js");
    const {
      bytesOf,
      originOf: origin,
      valueOf,
    } = (await load("../storm/message.js")) as typeof import("../storm/message.js");
    ((await load("../storm/plan.js")) as typeof import("../storm/plan.js")).useWallClock();
    const journal = new Writer(path);
    const [pipe, phase] = [await region.pipe("jobs"), await region.counter("phase")];
    journal.write("joined");
    say("ready");
    await phase.waitFor(1);
    const heard = new Set<number>();
    for (let sequence = 0, turnsAfter = 0; phase.value < 3n; sequence++) {
      const own = { sender: number, sequence };
      const message = sequence % 2 === 0 ? bytesOf(own, 12 + 40 * (sequence % 50)) : valueOf(own, 60);
      const [blocks, leases] = [sequence % 3 === 0, sequence % 4 !== 0];
      journal.write("begin", "send", "jobs", number, sequence);
      if (blocks) pipe.sendSync(message);
      else await pipe.send(message);
      journal.write("end", "send", "jobs", number, sequence);

      const step = leases ? "lease" : "receive";
      journal.write("begin", step, "jobs");
      const lease = !leases
        ? undefined
        : blocks
          ? pipe.receiveSync({ lease: true })
          : await pipe.receive({ lease: true });
      const taken = lease === undefined ? await pipe.receive() : lease.value;
      const { sender, sequence: its } = origin(taken) ?? { sender: 0, sequence: 0 };
      if (sender === 0) journal.write("torn", step, "jobs");
      journal.write("end", step, "jobs", sender, its, lease?.deliveries ?? 0);
      if (lease !== undefined) {
        journal.write("begin", "ack", "jobs", sender, its);
        lease.ack();
        journal.write("end", "ack", "jobs", sender, its);
      }
      if (heard.size < kinds && heard.add(sender % kinds).size === kinds) say("has heard everybody");
      if (phase.value === 2n && ++turnsAfter === 30) say("goes on");
    }
    say("rests");
    await phase.waitFor(4);
    journal.write("leaving");
    await region.close();
    journal.write("left");
  }, role);
}

/** Takes what the crowd has left in the pipe. */
async function drain(region: Region, journal: Journal): Promise<void> {
  const pipe = await region.pipe("jobs");
  for (let message = pipe.tryReceive(); message !== undefined; message = pipe.tryReceive()) {
    const origin = originOf(message);
    if (origin === undefined) journal.write("torn", "receive", "jobs");
    else journal.write("end", "receive", "jobs", origin.sender, origin.sequence);
  }
  const { depth, leased } = pipe.statistics();
  assert.deepEqual({ depth, leased }, { depth: 0, leased: 0 });
}

const zeroes = (names: readonly string[]): Record<string, number> => Object.fromEntries(names.map((name) => [name, 0]));

/** @param starts one for every kind of process: starts a member */
export async function crowd(
  starts: readonly ((region: string, label: string) => Promise<ProcessMember>)[],
): Promise<CrowdReport> {
  const kinds = starts.length;
  const directory = mkdtempSync(join(tmpdir(), "shmkit-crowd-"));
  const journalOf = (number: number): string => join(directory, `${number}`);
  const region = await Region.create(uniqueRegionName("crowd"), { size: "1MiB" });
  const deaths: MemberDeath[] = [];
  region.on("memberDied", (death) => deaths.push(death));
  useWallClock();
  try {
    // Fewer than the members, so that senders wait as well; more than the messages of those who will not take any more.
    await region.pipe("jobs", { capacity: kinds + 1 });
    const phase = await region.counter("phase");
    const members = await Promise.all([...starts, ...starts].map((start, at) => start(region.name, `${at + 1}`)));
    const parts = members.map((member, at) => takePart(member, { number: at + 1, kinds, journal: journalOf(at + 1) }));
    const [victims, survivors] = [members.slice(0, kinds), members.slice(kinds)];
    /** What all of them say next; or why one of them cannot any more. */
    const hear = async (who: readonly ProcessMember[], said: string): Promise<void> => {
      const all = who.map((member) => Promise.race([member.next(), parts[members.indexOf(member)]]));
      for (const text of await Promise.all(all)) assert.equal(text, said);
    };
    await hear(members, "ready");
    await phase.add(1);
    await hear(members, "has heard everybody");
    for (const victim of victims) {
      void victim.kill();
      await sleep(Math.random() * CALM_MS);
    }
    await Promise.all(victims.map(({ ended }) => ended));
    await phase.add(1);
    await hear(survivors, "goes on");
    await phase.add(1);
    await hear(survivors, "rests");
    region.recoverTheDead();
    const own = new Journal(journalOf(0));
    await drain(region, own);
    await phase.add(1);
    await Promise.all(parts.slice(kinds));
    own.write("left");
    // Deaths are told from the event loop.
    await sleep(1);
    const judged = [0, ...members.keys()].map((_, number): Part => ({
      number,
      entries: readJournal(journalOf(number)),
      deaths: deaths.filter(({ label }) => label === `${number}`),
    }));
    const sums = { counters: zeroes(COUNTERS), mutexes: zeroes(MUTEXES) };
    const { violations, messages } = judge(judged, sums, WALL_CLOCK_ERROR_MS);
    assert.deepEqual(violations, []);
    assert.equal(deaths.length, kinds);
    audit(region.buffer, { isAlive: (slot) => slot === region.slot });
    return { processes: members.length, killed: kinds, messages };
  } finally {
    await region.close();
    rmSync(directory, { recursive: true });
  }
}
