import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MemberDeath } from "shmkit";
import type { Entry } from "./storm/journal.js";
import { bytesOf, originOf, valueOf } from "./storm/message.js";
import { judge, type Part } from "./storm/model.js";
import { FLOWS, PARTIES, PROMISED, SHARE, TOKENS } from "./storm/plan.js";
import { kindOf, Needs } from "./storm/stalls.js";
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
    const { deaths, synchronised } = report;
    assert.ok(Math.min(messages, deaths, synchronised) > 0, `${messages} messages, ${deaths} deaths, ${synchronised}`);
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

  /** Parts from `begin`s and `end`s at given times, of members 1, 2, … that have left. */
  type Told = readonly [note: Entry["note"], step: Entry["step"], time: number, more?: Partial<Entry>];
  const told = (object: Entry["object"], ...members: Told[][]): Part[] =>
    members.map((entries, i) =>
      part(i + 1, [
        ...entries.map(([what, step, time, more]) => note({ note: what, step, time, object, ...more })),
        left,
      ]),
    );
  const held = (from: number, until: number, value: number): Told[] => [
    ["begin", "hold", from - 1, { value }],
    ["end", "hold", from, { value }],
    ["begin", "release", until],
    ["end", "release", until + 1],
  ];
  const { one, half, all } = SHARE;

  test("finds a writer beside readers, writers and who may go on to write, and Web Locks held twice", () => {
    for (const object of ["gate", "web-0"] as const) {
      assert.equal(violationsOf(told(object, held(10, 20, one), held(15, 25, one), held(25, 30, all))), "");
      assert.equal(violationsOf(told(object, held(10, 20, one), held(15, 25, half))), "");
      for (const [first, second] of [
        [one, all],
        [all, one],
        [all, all],
        [half, half],
        [half, all],
      ] as const)
        assert.match(violationsOf(told(object, held(10, 20, first), held(15, 25, second))), /was held by member 1/);
    }
    const upgraded: Told[] = [
      ["end", "hold", 10, { value: half }],
      ["end", "hold", 20, { value: all }],
      ["begin", "release", 30],
    ];
    assert.equal(violationsOf(told("gate", upgraded, held(12, 19, one))), "");
    assert.match(violationsOf(told("gate", upgraded, held(12, 21, one))), /member 1 \(1000\)/);
    const lowered: Told[] = [
      ["end", "hold", 10, { value: all }],
      ["begin", "downgrade", 20, { value: one }],
      ["end", "downgrade", 22, { value: one }],
      ["begin", "release", 30],
    ];
    assert.equal(violationsOf(told("gate", lowered, held(21, 29, one))), "");
    assert.match(violationsOf(told("gate", lowered, held(21, 29, all))), /held by/);
  });

  test("finds a mutex that two have, and what one had who died with it", () => {
    const locked = (from: number, until: number): Told[] => [
      ["end", "lock", from],
      ["begin", "unlock", until],
    ];
    assert.equal(violationsOf(told("record-0", locked(10, 20), locked(21, 30))), "");
    assert.match(violationsOf(told("record-0", locked(10, 20), locked(19, 30))), /record-0 was held by/);
    const dead = part(
      1,
      [note({ step: "hold", object: "gate", value: all, time: 10 }), note({ step: "add", time: 20 })],
      {
        operation: "none",
        interrupted: false,
      } as unknown as MemberDeath,
    );
    const [, other] = told("gate", [], held(15, 30, one));
    assert.match(violationsOf([dead, other]), /gate was held by/);
  });

  test("counts permits, and what is given and taken", () => {
    assert.equal(violationsOf(told("places", held(10, 20, 2), held(11, 19, 1))), "");
    assert.match(violationsOf(told("places", held(10, 20, 2), held(11, 19, 2))), /4 of 3/);
    const calls = (step: "take" | "give", begin: number, end: number, value = 1): Told[] => [
      ["begin", step, begin, { value }],
      ["end", step, end, { value }],
    ];
    for (const object of ["pulse", "lamp", "tickets"] as const) {
      const first = FLOWS[object];
      const taken = first === 0 ? [] : calls("take", 1, 2, first);
      assert.equal(violationsOf(told(object, taken, calls("take", 3, 9), calls("give", 8, 10))), "");
      assert.match(violationsOf(told(object, taken, calls("take", 3, 7), calls("give", 8, 10))), /nobody had given/);
      const twice = [...calls("take", 3, 9), ...calls("take", 10, 11)];
      assert.match(violationsOf(told(object, taken, twice, calls("give", 8, 10))), /nobody had given/);
    }
    const sync = { tickets: FLOWS.tickets - 1, tokens: 0, counted: 0 };
    const withSync = (parts: Part[], remains: Partial<typeof sync>): string =>
      judge(parts, { ...NOTHING_LEFT, sync: { ...sync, ...remains } }).violations.join("\n");
    assert.equal(withSync(told("tickets", calls("take", 1, 2)), {}), "");
    assert.match(withSync(told("tickets", calls("take", 1, 2)), { tickets: FLOWS.tickets }), /tickets is 4.* makes 3/);
    const death = { operation: "semaphore.wait", object: "tickets", interrupted: true } as const;
    const open = begun("take", "tickets", { value: 1 });
    assert.equal(withSync([part(1, [open], { ...death, committed: true })], {}), "");
    assert.match(withSync([part(1, [open], { ...death, committed: false })], {}), /tickets is 3.* makes 4/);
    assert.match(withSync(told("tokens", calls("take", 1, 2)), { tickets: 4 }), /tokens is 0.* makes 1/);
    const enrolled: Told[] = [
      ["end", "enrol", 1, { value: PROMISED }],
      ["end", "down", 2, { value: 1 }],
    ];
    assert.equal(withSync(told("countdown", enrolled), { tickets: 4, counted: PROMISED }), "");
    assert.match(withSync(told("countdown", enrolled), { tickets: 4, counted: 1 }), /counted is 1/);
  });

  test("knows how fast tokens come", () => {
    const { burst, intervalMs, tokens } = TOKENS;
    const takes = (begin: number, end: number, value: number): Told[] => [
      ["begin", "take", begin, { value }],
      ["end", "take", end, { value }],
    ];
    const later = (burst * intervalMs) / tokens;
    assert.equal(violationsOf(told("tokens", takes(1, 1, burst), takes(1, 1 + later, burst))), "");
    assert.match(violationsOf(told("tokens", takes(1, 1, burst), takes(1, later, burst))), /tokens were taken within/);
  });

  test("finds what is done twice, differs, or comes from nowhere", () => {
    const made = (value: number): Told => ["did", "once", 1, { value }];
    const got = (time: number, value: number, sender = 0): Told => ["end", "once", time, { value, sender }];
    assert.equal(violationsOf(told("once", [made(7), got(2, 7, 1)], [got(3, 7)])), "");
    // Its doer died with it; the next one did it.
    assert.equal(violationsOf(told("once", [made(7)], [made(8), got(3, 8, 1)])), "");
    assert.match(
      violationsOf(told("once", [made(7), got(2, 7, 1)], [made(7), got(3, 7, 1)])),
      /done by members 1 and 2/,
    );
    assert.match(violationsOf(told("once", [made(7), got(2, 7, 1)], [got(3, 8)])), /for member 2 to 8/);
    assert.match(violationsOf(told("once", [got(2, 7)])), /nobody made/);
  });

  test("finds a barrier that opens early, for too many, twice, or with two leaders", () => {
    const met = (begin: number, end: number, sequence: number, value = 0): Told[] => [
      ["begin", "meet", begin],
      ["end", "meet", end, { sequence, value }],
    ];
    assert.equal(violationsOf(told("meeting", met(1, 9, 0, 1), met(2, 8, 0), met(7, 10, 0))), "");
    // The first try ended by its deadline, and had arrived.
    const late: Told[] = [["begin", "meet", 2], ["failed", "meet", 3], ...met(20, 21, 0)];
    assert.equal(violationsOf(told("meeting", met(1, 9, 0, 1), late)), "");
    assert.match(violationsOf(told("meeting", met(1, 5, 0), met(6, 8, 0))), /went before somebody came/);
    assert.match(violationsOf(told("meeting", met(1, 9, 0, 1), met(2, 8, 0, 1))), /several leaders/);
    assert.match(violationsOf(told("meeting", [...met(1, 9, 0), ...met(10, 11, 0)])), /generation 0 after 0/);
    const crowd = Array.from({ length: PARTIES + 1 }, () => met(1, 9, 0));
    assert.match(violationsOf(told("meeting", ...crowd)), /more than 3 parties/);
  });

  test("finds a notification that nobody was woken by, and a deadlock that was none", () => {
    assert.match(
      violationsOf(told("mail", [["missed", "mail", 5, { value: 3000 }]])),
      /slept while something lay there/,
    );
    const crosses = (begin: number, end: number, more: Partial<Entry> = {}): Told[] => [
      ["begin", "cross", begin],
      ["end", "cross", end, more],
    ];
    const isTold = { value: 1, sender: 2 };
    assert.equal(violationsOf(told("crossing", crosses(1, 9, isTold), crosses(2, 10))), "");
    assert.match(violationsOf(told("crossing", crosses(1, 9, isTold), crosses(10, 11))), /a deadlock with member 2/);
    const timedOut: Told[] = [
      ["begin", "cross", 1],
      ["failed", "cross", 9, { value: 1 }], // somebody was in the way
    ];
    assert.equal(violationsOf(told("crossing", timedOut)), "");
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
    for (const [object, kind] of [
      ["gate", "rwlock"],
      ["web-1", "web lock"],
    ] as const) {
      const writer = part(3, [at(8, { step: "hold", object, value: all })]);
      const reader = part(4, [
        at(12, { note: "begin", step: "hold", object, value: one }),
        at(18, { note: "end", step: "hold", object, value: one }),
      ]);
      assert.deepEqual(new Needs([writer, reader]).stall(writer, 11, 17), {
        side: `${object} hold`,
        from: 12,
        until: 18,
      });
      assert.equal(kindOf(`${object} hold`), kind);
    }
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
