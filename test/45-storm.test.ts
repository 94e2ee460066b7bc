import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MemberDeath } from "shmkit";
import type { Entry } from "./storm/journal.js";
import { bytesOf, originOf, valueOf } from "./storm/message.js";
import { judge, type Part } from "./storm/model.js";
import { Needs } from "./storm/stalls.js";
import { percentile, storm } from "./storm/storm.js";

const NOTHING_LEFT = { counters: { marker: 0, "count-0": 0, "count-1": 0 }, mutexes: { "record-0": 0, "record-1": 0 } };

let clock = 0;
const note = (entry: Partial<Entry>): Entry => ({
  note: "end",
  step: "other",
  object: "marker",
  sender: 0,
  sequence: 0,
  value: 0,
  time: ++clock,
  ...entry,
});
const joined = note({ note: "joined" });
const left = note({ note: "left" });
const part = (number: number, entries: Entry[], ...deaths: Partial<MemberDeath>[]): Part => ({
  number,
  entries: [joined, ...entries],
  deaths: deaths as MemberDeath[],
});
const sent = (sequence: number, object: Entry["object"] = "bytes"): Entry =>
  note({ step: "send", object, sender: 1, sequence });
const got = (sequence: number, object: Entry["object"] = "bytes"): Entry =>
  note({ step: "receive", object, sender: 1, sequence });
const begun = (step: Entry["step"], object: Entry["object"], more: Partial<Entry> = {}): Entry =>
  note({ note: "begin", step, object, ...more });

describe("the storm", () => {
  test("processes do everything and are killed: nothing is lost, torn or leaked", async (t) => {
    const report = await storm({ seconds: 6, seed: 1 });
    assert.deepEqual(report.violations, []);
    const { kills, messages, stalls, lost, torn, leakedBytes, leakedSlots } = report;
    assert.deepEqual({ lost, torn, leakedBytes, leakedSlots }, { lost: 0, torn: 0, leakedBytes: 0, leakedSlots: 0 });
    assert.ok(messages > 0 && report.deaths > 0, `${messages} messages, ${report.deaths} deaths`);
    t.diagnostic(`${kills} killed, ${messages} messages, others held up for at most ${stalls.at(-1)?.ms} ms`);
  });
});

describe("the model of the storm", () => {
  const violationsOf = (parts: Part[], remains = NOTHING_LEFT): string => judge(parts, remains).violations.join("\n");

  test("accepts what is right", () => {
    const sender = part(1, [sent(0), sent(1), sent(2), begun("send", "bytes", { sender: 1, sequence: 3 })], {
      operation: "pipe.send",
      object: "bytes",
      committed: true,
      interrupted: true,
    });
    const receiver = part(2, [got(0), got(1), begun("receive", "bytes")], {
      operation: "pipe.receive",
      object: "bytes",
      committed: true,
      interrupted: false,
    });
    assert.equal(violationsOf([sender, receiver, part(3, [got(3), left])]), "");
  });

  test("finds what is lost, doubled, out of order, torn, or came from nowhere", () => {
    const sender = part(1, [sent(0), sent(1), left]);
    const lost = judge([sender, part(2, [got(0), left])], NOTHING_LEFT);
    assert.match(lost.violations.join(), /1 messages of bytes are gone/);
    assert.equal(lost.lost, 1);
    assert.match(violationsOf([sender, part(2, [got(0), got(1), left]), part(3, [got(0), left])]), /received 2 times/);
    assert.match(violationsOf([sender, part(2, [got(1), got(0), left])]), /got 1:0 of bytes after 1:1/);
    const torn = judge([sender, part(2, [got(0), got(1), note({ note: "torn", step: "lock" }), left])], NOTHING_LEFT);
    assert.equal(torn.torn, 1);
    assert.match(violationsOf([part(2, [got(0), left])]), /nobody sent it/);
    const refused = note({ note: "failed", step: "send", object: "bytes", sender: 1, sequence: 0 });
    assert.match(violationsOf([part(1, [refused, left]), part(2, [got(0), left])]), /was not sent/);
  });

  test("holds a death to what was told of it", () => {
    const open = begun("send", "bytes", { sender: 1, sequence: 0 });
    const death = { operation: "pipe.send", object: "bytes", interrupted: true } as const;
    const receiver = part(2, [got(0), left]);
    assert.equal(violationsOf([part(1, [open], { ...death, committed: true }), receiver]), "");
    assert.match(violationsOf([part(1, [open], { ...death, committed: false }), receiver]), /was not sent/);
    assert.match(violationsOf([part(1, [open], { ...death, committed: true })]), /are gone/);
    assert.match(violationsOf([part(1, [open]), part(2, [left])]), /nobody told of the death of member 1/);
    assert.match(violationsOf([part(1, [], death, death)]), /told 2 times/);
    assert.match(violationsOf([part(1, [sent(0)], { ...death, committed: true }), receiver]), /had ended every step/);
    assert.match(violationsOf([part(1, [sent(0), left], death), receiver]), /left and was said to have died/);
  });

  test("adds up counters and records", () => {
    const add = note({ step: "add", object: "count-0", value: 5 });
    const open = begun("add", "count-0", { value: 7 });
    const death = { operation: "counter.update", object: "count-0", interrupted: true } as const;
    const remains = (value: number): typeof NOTHING_LEFT => ({
      ...NOTHING_LEFT,
      counters: { ...NOTHING_LEFT.counters, "count-0": value },
    });
    assert.equal(violationsOf([part(1, [add, open], { ...death, committed: true })], remains(12)), "");
    assert.match(violationsOf([part(1, [add, open], { ...death, committed: false })], remains(12)), /count-0 is 12/);
    assert.match(violationsOf([part(1, [add, left])], remains(4)), /what was told makes 5/);
  });

  test("follows leases: what is done does not come again, what is not does", () => {
    const lease = (value: number): Entry => note({ step: "lease", object: "jobs", sender: 1, value });
    const ack = (): Entry => note({ step: "ack", object: "jobs", sender: 1 });
    const sender = part(1, [sent(0, "jobs"), left]);
    const killed = part(2, [lease(1), begun("ack", "jobs", { sender: 1 })], {
      operation: "pipe.ack",
      object: "jobs",
      committed: false,
      interrupted: true,
    });
    assert.equal(violationsOf([sender, killed, part(3, [lease(2), ack(), left])]), "");
    assert.match(violationsOf([sender, killed]), /1 messages of jobs are gone/);
    const done = part(2, [lease(1), ack(), left]);
    assert.match(violationsOf([sender, done, part(3, [lease(2), left])]), /came again after it was done with/);
  });

  test("measures how long the others were held up", () => {
    const at = (time: number, more: Partial<Entry>): Entry => note({ time, step: "send", object: "bytes", ...more });
    const dead = part(1, [at(10, { note: "begin" })]);
    const other = part(2, [
      at(5, { note: "begin" }),
      at(9, { note: "end" }),
      at(12, { note: "begin" }),
      at(15, { note: "failed", value: 1 }),
      at(16, { note: "begin" }),
      at(20, { note: "end" }),
    ]);
    assert.deepEqual(new Needs([dead, other]).stall(dead, 11, 19), { side: "bytes tail", from: 12, until: 20 });
    assert.equal(new Needs([dead, other]).stall(dead, 11, 11.5), undefined);
    assert.equal(percentile([1, 2, 3, 4], 0.5), 3);
    assert.equal(percentile([], 0.5), undefined);
  });

  test("messages say whether they are whole", () => {
    const origin = { sender: 7, sequence: 9 };
    for (const length of [0, 12, 100, 5000]) {
      const bytes = bytesOf(origin, length);
      assert.deepEqual(originOf(bytes), origin);
      assert.deepEqual(originOf(valueOf(origin, length)), origin);
      for (const at of [0, 5, bytes.length - 1]) {
        const torn = bytes.slice();
        torn[at] ^= 1;
        assert.notDeepEqual(originOf(torn), origin);
      }
      assert.equal(originOf(bytes.subarray(1)), undefined);
    }
    assert.equal(originOf({ ...(valueOf(origin, 50) as object), sequence: 8 }), undefined);
  });
});
