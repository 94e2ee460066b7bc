/** That mutations are found in the source, turned on, killed, and judged; `npm run crash` tries as many as it has time for. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { campaign, EQUIVALENTS, judge, type Verdict } from "../mutations/campaign.js";
import { allSites, mutate } from "../mutations/sites.js";
import { testFilesFor } from "../mutations/test-files.js";

/** No time is asserted: the number of mutations limits what is tried. */
const AGES = 600;

const whats = (body: string, file = "src/members/some.ts"): string[] =>
  mutate(file, `function f() { ${body} }`).sites.map(({ key }) => key.replace(/^.*?: /, ""));

test("rules say what can be wrong", () => {
  assert.deepEqual(whats("words.add(shared, bell, 1);"), [
    "words.add(shared, bell, 1): left out",
    "words.add(shared, bell, 1): weakened",
    "words.add(shared, bell, 1): split",
  ]);
  assert.deepEqual(whats("return words.load(shared, 1);"), ["words.load(shared, 1): weakened"]);
  assert.deepEqual(whats("ringOne(member, set); native.wake(1, 2, 3);"), [
    "ringOne(member, set): left out",
    "native.wake(1, 2, 3): left out",
  ]);
  assert.deepEqual(whats("enter(set); arm(); return x.attempt();"), [
    "x.attempt(): answered BLOCKED",
    "x.attempt(): answered BLOCKED after entering",
  ]);
  assert.deepEqual(whats("return x.attempt();"), []);
  assert.deepEqual(whats("native.lock(1, 2); return look() === 3;"), [
    "look() === 3: answered true",
    "look() === 3: answered false",
  ]);
  assert.deepEqual(whats("member.critical(0); heap.adopt(page);"), [
    "member.critical(0): left out",
    "heap.adopt(page): left out",
  ]);
});

test("what a command does and decides is left out and turned round", () => {
  assert.deepEqual(whats("if (is()) await close(); return other();", "src/cli/commands/some.ts"), [
    "is(): answered true",
    "is(): answered false",
    "close(): left out",
  ]);
  assert.ok(allSites().some(({ key }) => key.startsWith("src/cli/commands/lock.ts ")));
});

test("the test files of a mutation are those about its file", () => {
  assert.deepEqual(testFilesFor("src/sync/event-kind.ts release: x"), ["21-event"]);
  assert.deepEqual(testFilesFor("src/sync/lock-table.ts enter: x"), ["21-locks", "21-locks-processes"]);
  assert.ok(testFilesFor("src/sync/turns.ts first: x").length > 5);
  assert.deepEqual(testFilesFor("src/cli/commands/lock.ts lock: x"), ["60-cli-lock"]);
  assert.ok(testFilesFor("src/members/waits.ts park: x").includes("20-pipe-waiting"));
});

test("each mutation has a name of its own, and none of the arguments is for one that is not there", () => {
  const keys = allSites().map(({ key }) => key);
  assert.equal(new Set(keys).size, keys.length);
  assert.ok(keys.length > 300);
  assert.deepEqual(
    Object.keys(EQUIVALENTS).filter((key) => !keys.includes(key)),
    [],
  );
});

const KILLED =
  "src/locking/robust-lock.ts tryLock: words.compareExchange(member.segment.words, lock, 0, member.me): split";
const ALIVE = "src/members/member.ts begin: words.storeRelease(this.words, this.operation, record | BEGUN): weakened";

test("a known mutation is killed, and a known one survives", async () => {
  const names = [KILLED, ALIVE].map((key) => key.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
  const { of, verdicts } = await campaign({
    seconds: AGES,
    seed: 1,
    only: new RegExp(`^(?:${names.join("|")})$`),
    stages: 1,
    probes: "lock-2$",
  });
  assert.equal(of, 2);
  const verdictOf = (key: string): Verdict => verdicts.find(({ site }) => site.key === key)!;
  assert.match(verdictOf(KILLED).kill!.by, / lock-2$/);
  assert.equal(verdictOf(ALIVE).kill, undefined);
});

test("an argument for a mutation that is killed, or is not there, is an error; for one that survives it is heard", () => {
  const [first, second] = allSites();
  const kill = { by: "somebody", message: "it is wrong" };
  const verdicts: Verdict[] = [
    { site: first, kill, passed: 1, isOpen: false },
    { site: second, kill: undefined, passed: 1, isOpen: false },
    { site: second, kill: undefined, passed: 1, isOpen: true },
  ];
  assert.deepEqual(judge(verdicts, {}).survived, [verdicts[1]]);
  const heard = judge(verdicts, { [first.key]: "why not", [second.key]: "because", "src/nowhere.ts": "gone" });
  assert.deepEqual([heard.survived, heard.argued, heard.open], [[], [verdicts[1]], [verdicts[2]]]);
  assert.equal(heard.wrong.length, 2);
});
