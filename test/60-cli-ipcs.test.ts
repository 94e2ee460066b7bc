/** Objects of the system as `shmkit ipcs` shows them; what it prints of System V is held against ipcs(1) where that is there. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { after, describe, test } from "node:test";
import { MemoryMappedFile, Region } from "shmkit";
import {
  close,
  ftruncate,
  mmap,
  munmap,
  O_CREAT,
  O_RDWR,
  PROT_READ,
  MAP_SHARED,
  sem_close,
  sem_open,
  sem_unlink,
  shm_open,
  shm_unlink,
} from "shmkit/posix";
import {
  IPC_CREAT,
  IPC_EXCL,
  IPC_PRIVATE,
  IPC_RMID,
  IPC_SET,
  IPC_STAT,
  msgctl,
  msgget,
  msgsndSync,
  semctl,
  semget,
  semopSync,
  SHM_LOCK,
  shmat,
  shmctl,
  shmdt,
  shmget,
  SystemCallError,
} from "shmkit/sysv";
import { parse, type Command } from "#src/cli/command.js";
import { colours } from "#src/cli/colours.js";
import { command as ipcrm } from "#src/cli/commands/ipcrm.js";
import { command as ipcs } from "#src/cli/commands/ipcs.js";
import { humanSize, systemVText, type Manner } from "#src/cli/ipc/system-v-tables.js";
import { systemV } from "#src/cli/ipc/system-v.js";
import { UserNames } from "#src/cli/ipc/user-names.js";
import type { Terminal } from "#src/cli/terminal.js";
import { CLI, run, start, until } from "./helpers/cli-process.js";
import { joined, regionName } from "./helpers/cli-regions.js";
import { problems, type Schema } from "./helpers/json-schema.js";
import { leftovers, uniqueRegionName } from "./helpers/leftovers.js";
import { refusal } from "./helpers/namespaces.js";
import { canPlayUsers } from "./helpers/other-users.js";
import { turnAmongTheDead } from "./helpers/turns.js";

const made: (() => void)[] = [];
const RIGHTS = 0o640;

/** Takes away what is made here, unless a test has done so. */
function goesAway(remove: () => void): void {
  made.push(remove);
}

after(() => {
  for (const remove of made.splice(0)) {
    try {
      remove();
    } catch (error) {
      if (!(error instanceof SystemCallError && ["EINVAL", "EIDRM", "ENOENT"].includes(error.code))) throw error;
    }
  }
});

function segment(size = 5000): number {
  const id = shmget(IPC_PRIVATE, size, IPC_CREAT | RIGHTS);
  goesAway(() => shmctl(id, IPC_RMID));
  return id;
}

function semaphores(count = 12): number {
  const id = semget(IPC_PRIVATE, count, IPC_CREAT | RIGHTS);
  goesAway(() => semctl(id, 0, IPC_RMID));
  return id;
}

function queue(key = IPC_PRIVATE): number {
  const id = msgget(key, IPC_CREAT | IPC_EXCL | RIGHTS);
  goesAway(() => msgctl(id, IPC_RMID));
  return id;
}

/** Runs a command in this process: one of its own costs too much for what only writes. */
async function output(command: Command, ...args: string[]): Promise<{ text: string; code: number }> {
  let text = "";
  const terminal = {
    colours: colours(false),
    write: async (data: string) => void (text += data),
    line: async (line: string) => void (text += `${line}\n`),
    error: (line: string) => void (text += `${line}\n`),
  } as unknown as Terminal;
  const code = (await command.run(parse(command, args, new AbortController().signal, terminal))) ?? 0;
  return { text, code };
}

const listed = async (...args: string[]): Promise<string> => (await output(ipcs, ...args)).text;

const SCHEMA = JSON.parse(
  readFileSync(new URL("../../docs/guide/cli-json.schema.json", import.meta.url), "utf8"),
) as Schema;

/** What it writes as JSON, which is as the schema says. */
async function json(command: Command, ...args: string[]): Promise<Record<string, unknown>> {
  const value = JSON.parse((await output(command, "--json", ...args)).text) as Record<string, unknown>;
  assert.deepEqual(problems(value, { $ref: `#/$defs/${command.name}` }, SCHEMA), []);
  return value;
}

/** What the machine's own ipcs(1) prints. */
function original(args: readonly string[]): string {
  const { stdout, stderr } = spawnSync("ipcs", args, { encoding: "utf8", env: { ...process.env, LC_ALL: "C" } });
  assert.equal(stderr, "", args.join(" "));
  return stdout;
}

const version = spawnSync("ipcs", ["--version"], { encoding: "utf8" }).stdout as string | null;
const noOriginal = version?.includes("util-linux") === true ? false : "ipcs of util-linux is not here";

/** Looks at most, until nothing of others has moved between the two texts: a difference that is ours shows itself each time. */
const LOOKS = 20;

async function both(args: readonly string[]): Promise<[theirs: string, ours: string]> {
  for (let looks = 1; ; looks++) {
    const texts: [string, string] = [original(args), await listed(...args)];
    if (texts[0] === texts[1] || looks === LOOKS) return texts;
  }
}

describe("ipcs prints of System V byte for byte what ipcs of util-linux does", { skip: noOriginal }, () => {
  test("lists, times, processes, owners, limits, sums; the last option counts", async () => {
    const attached = segment();
    const memory = shmat(attached);
    shmctl(attached, IPC_RMID);
    const foreign = segment(3 << 20);
    const [full, set] = [queue(), semaphores()];
    msgsndSync(full, 1, new Uint8Array(2000));
    semopSync(set, [{ sem_num: 3, sem_op: 1234 }]);
    if (canPlayUsers) {
      shmctl(foreign, SHM_LOCK);
      shmctl(foreign, IPC_SET, { uid: 123456, gid: 123456 });
      msgctl(full, IPC_SET, { uid: 65534, gid: 65534 });
    }
    const forms = [
      "-m",
      "-q",
      "-s",
      "-a",
      "-q -m",
      "-a -t",
      "-a -p",
      "-s -p",
      "-c -a",
      "-a -l",
      "-a -u",
      "-m -t -p -c",
    ];
    const sizes = [
      "-a --human",
      "-a -b",
      "-m -b --human",
      "-m --human -b",
      "-a -l --human",
      "-a -lb",
      "-a -u --human",
      "-a -ub",
    ];
    const single = [
      `-m -i ${attached}`,
      `-m --human -i ${foreign}`,
      `-q -i ${full}`,
      `-qi ${full} --human`,
      `-s -i ${set}`,
    ];
    for (const form of [...forms, ...sizes, ...single]) {
      const [theirs, ours] = await both(form.split(" "));
      assert.equal(ours, theirs, form);
    }
    assert.match(await listed("-m"), new RegExp(`^0x00000000 ${attached} .* 5000 +1 +dest +$`, "m"));
    if (canPlayUsers) assert.match(await listed("-m"), new RegExp(` ${foreign} +123456 .* locked$`, "m"));
    shmdt(memory);
  });
});

/** A tree of files that is taken for `/`. */
function root(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "shmkit-ipcs-"));
  goesAway(() => rmSync(folder, { recursive: true }));
  const kernel = { sem: "250 32000 32 128", shmmni: "4096", shmmax: "33554432", shmall: "2097152", msgmni: "16" };
  const settings = Object.entries({ ...kernel, msgmax: "8192", msgmnb: "16384" });
  const all = { ...Object.fromEntries(settings.map(([name, text]) => [`proc/sys/kernel/${name}`, text])), ...files };
  for (const [path, text] of Object.entries({ "proc/self/auxv": "", ...all })) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

describe("what the kernel says of System V", () => {
  const manner: Manner = { output: "list", units: "usual", names: new UserNames("/nowhere", "/nowhere") };

  test("may be nothing", () => {
    const { segments, queues, semaphoreSets } = systemV(root({}));
    assert.deepEqual([segments, queues, semaphoreSets], [[], [], []]);
  });

  test("may have other columns, numbers below zero, and early days of a month", () => {
    const look = systemV(
      root({
        "proc/sysvipc/shm":
          "key more shmid perms size cpid lpid nattch uid\n-5 x 7 1666 12345678901234 1 4194303 2 4294967294\n",
        "proc/sysvipc/sem": `key semid perms nsems uid otime ctime\n9 8 600 3 0 0 ${Date.parse("2026-03-04T05:06:07") / 1000}\n`,
      }),
    );
    const text = systemVText(look, ["segments", "semaphoreSets"], manner);
    assert.match(text, /^0xfffffffb 7 {10}4294967294 666 {8}12345678901234 2 {10}dest {9}$/m);
    const times = systemVText(look, ["semaphoreSets"], { ...manner, output: "time" });
    assert.match(times, /^8 {8}0 {11}Not set {20}Wed Mar {2}4 05:06:07 2026 {2}$/m);
  });

  test("of limits is cut to what 64 bits hold, as ipcs does", () => {
    const limits = (shmall: string, units: Manner["units"]): string =>
      systemVText(systemV(root({ "proc/sys/kernel/shmall": shmall })), ["segments"], {
        ...manner,
        output: "limits",
        units,
      });
    assert.match(limits("2097152", "usual"), /^max total shared memory \(kbytes\) = 8388608$/m);
    assert.match(
      limits("18446744073692774399", "usual"),
      /^max total shared memory \(kbytes\) = 18446744073709551612$/m,
    );
    assert.match(
      limits("18446744073692774399", "bytes"),
      /^max total shared memory \(bytes\) = 18446744073709547520$/m,
    );
    assert.match(limits("18446744073692774399", "human"), /^max total shared memory = 16E$/m);
  });

  test("sizes for people have one decimal at most", () => {
    const texts = [0, 1, 1023, 1024, 1536, 2000, 5000, 1_048_575, 3 << 20, 12_345_678_901_234, 2 ** 64].map(humanSize);
    assert.deepEqual(texts, ["0B", "1B", "1023B", "1K", "1.5K", "2K", "4.9K", "1024K", "3M", "11.2T", "16E"]);
  });

  test("names of users are those of the file, the first of each number", () => {
    const folder = root({ passwd: "a:x:1:\n\nbroken\nb:x:1:\nc:x:-2:\n", group: "g:x:7:\n" });
    const names = new UserNames(join(folder, "passwd"), join(folder, "group"));
    assert.deepEqual([names.user(1), names.user(2), names.group(7), names.group(1)], ["a", "2", "g", "1"]);
  });
});

interface Process {
  readonly pid: number;
  readonly mapped: boolean;
  readonly open: boolean;
}
interface Named {
  readonly name: string;
  readonly processes: readonly Process[];
}

describe("ipcs shows what ipcs of util-linux does not know", () => {
  test("shared memory and semaphores of POSIX, regions, and who has them", async () => {
    const name = `/${uniqueRegionName("shm")}`;
    const descriptor = shm_open(name, O_CREAT | O_RDWR);
    goesAway(() => shm_unlink(name));
    ftruncate(descriptor, 5000);
    const memory = mmap(5000, PROT_READ, MAP_SHARED, descriptor);
    const semaphore = sem_open(name, O_CREAT, 0o600, 3);
    goesAway(() => sem_unlink(name));
    const region = await joined("seen");
    // Made without a name first, as /proc still says of it; open, and mapped by nobody.
    const map = await MemoryMappedFile.createNew(region.name, 100);
    goesAway(() => map.close());
    const id = segment();
    const attached = shmat(id);
    // A process does not count itself: another one looks.
    const { stdout, stderr } = spawnSync(process.execPath, [CLI, "ipcs", "--json"], { encoding: "utf8" });
    assert.equal(stderr, "");
    const value = JSON.parse(stdout) as {
      segments: { id: number; processes: Process[] }[];
      posix: { segments: (Named & { sizeBytes: number })[]; semaphores: (Named & { value: number })[] };
      regions: (Named & { members: object; lifetime: string })[];
    };
    assert.deepEqual(problems(value, { $ref: "#/$defs/ipcs" }, SCHEMA), []);
    const me = { pid: process.pid, command: readFileSync("/proc/self/comm", "utf8").trimEnd(), mapped: true };
    assert.deepEqual(value.segments.find((found) => found.id === id)!.processes, [{ ...me, open: false }]);
    const [shared] = value.posix.segments.filter((found) => found.name === name);
    assert.deepEqual([shared.sizeBytes, shared.processes], [5000, [{ ...me, open: true }]]);
    const [named] = value.posix.segments.filter((found) => found.name === `/${basename(map.path)}`);
    assert.deepEqual(named.processes, [{ ...me, mapped: false, open: true }]);
    const [sem] = value.posix.semaphores.filter((found) => found.name === name);
    assert.deepEqual([sem.value, sem.processes], [3, [{ ...me, open: false }]]);
    const [seen] = value.regions.filter((found) => found.name === region.name);
    assert.deepEqual([seen.members, seen.lifetime], [{ alive: 1, dead: 0 }, "process"]);
    assert.ok(seen.processes.some(({ pid, mapped }) => pid === process.pid && mapped));

    const text = await listed("--posix", "--regions", "--human");
    assert.match(text, new RegExp(`^\\S+ +600 +4.9K +${name}$`, "m"));
    assert.match(text, new RegExp(`^\\S+ +600 +3 +${name}$`, "m"));
    assert.match(text, new RegExp(`^\\S+ +600 +\\S+ +1 +0 +process +${region.name}$`, "m"));
    assert.doesNotMatch(text, /Semaphore Arrays/);
    map.close();
    munmap(memory);
    shmdt(attached);
    close(descriptor);
    sem_close(semaphore);
    sem_unlink(name);
    shm_unlink(name);
    assert.doesNotMatch(await listed("-P"), new RegExp(`  ${name}$[^]*POSIX Semaphores`, "m"));
  });
});

describe("ipcs", () => {
  test("of one object, as JSON, says all about it", async () => {
    const [set, full] = [semaphores(2), queue()];
    semopSync(set, [{ sem_num: 1, sem_op: 7 }]);
    const sets = (await json(ipcs, "-s", "-i", String(set)))["semaphoreSets"] as { states: object[] }[];
    assert.deepEqual(sets[0].states[1], { value: 7, waitingForMore: 0, waitingForZero: 0, lastPid: process.pid });
    const queues = (await json(ipcs, "-q", "-i", String(full)))["queues"] as {
      id: number;
      mostBytes: number;
      mode: number;
    }[];
    assert.deepEqual(
      [queues[0].id, queues[0].mode, queues[0].mostBytes],
      [full, RIGHTS, msgctl(full, IPC_STAT).msg_qbytes],
    );
    assert.deepEqual(Object.keys(await json(ipcs, "-q")), ["queues", "limits", "unreadableProcesses"]);
  });

  test("refuses what makes no sense", async () => {
    const none = 2 ** 31 - 1;
    const cases: [args: string[], code: string, message: RegExp][] = [
      [["-i", "1"], "ERR_USAGE", /one of -m, -q, -s/],
      [["-m", "-q", "-i", "1"], "ERR_USAGE", /one of -m, -q, -s/],
      [["-a", "-i", "1"], "ERR_USAGE", /one of -m, -q, -s/],
      [["-m", "-i", "abc"], "ERR_USAGE", /failed to parse id argument: 'abc'/],
      [["-m", "-i", String(none)], "ERR_NOT_FOUND", /id 2147483647 not found/],
      [["--posix", "-t"], "ERR_USAGE", /--time is about System V/],
    ];
    for (const [args, code, message] of cases) await assert.rejects(listed(...args), { code, message }, args.join(" "));
  });
});

describe("ipcrm", () => {
  const exists = (id: number): boolean => systemV().segments.some((found) => found.id === id);

  test("removes by identifier and key, says what with -v, and is as silent as ipcrm(1) without", async () => {
    const key = process.pid + 0x5000_0000;
    const [one, two, three] = [segment(), segment(), segment()];
    const [set, keyed] = [semaphores(), queue(key)];
    const args = ["-m", String(one), "-s", String(set), "-Q", `0x${key.toString(16)}`];
    assert.deepEqual(await output(ipcrm, ...args), { text: "", code: 0 });
    assert.equal(exists(one), false);
    const left = systemV();
    assert.ok(!left.queues.some(({ id }) => id === keyed) && !left.semaphoreSets.some(({ id }) => id === set));
    const text = `removing shared memory segment id \`${two}'\n`;
    assert.deepEqual(await output(ipcrm, "-vm", String(two)), { text, code: 0 });
    assert.deepEqual((await json(ipcrm, "shm", String(three)))["removed"], [
      { kind: "segment", id: three, why: "it was named" },
    ]);
  });

  test("says what it cannot remove in the words of ipcrm(1), goes on with the rest, and answers 1", async () => {
    const none = String(2 ** 31 - 1);
    const id = segment();
    const cases: [args: string[], errors: string[]][] = [
      [["-m", none], [`ERR_NOT_FOUND: invalid id (${none})`]],
      [
        ["-q", none, "-s", none],
        [`ERR_NOT_FOUND: invalid id (${none})`, `ERR_NOT_FOUND: invalid id (${none})`],
      ],
      [["-M", "0x7fabcdef"], ["ERR_NOT_FOUND: invalid key (0x7fabcdef)"]],
      [["-S", "0"], ["ERR_USAGE: illegal key (0)"]],
      [["-m", "abc", "-m", String(id)], ["ERR_USAGE: failed to parse argument: 'abc'"]],
      [["-Q", "5x"], ["ERR_USAGE: failed to parse argument: '5x'"]],
      [["-m", "99999999999999"], ["ERR_USAGE: failed to parse argument: '99999999999999'"]],
    ];
    for (const [args, errors] of cases)
      assert.deepEqual(
        await output(ipcrm, ...args),
        { text: errors.map((error) => `shmkit: ${error}\n`).join(""), code: 1 },
        args.join(" "),
      );
    assert.equal(exists(id), false);
    const { failed } = await json(ipcrm, "-m", "abc");
    assert.deepEqual(failed, [{ argument: "abc", code: "ERR_USAGE", message: "failed to parse argument: 'abc'" }]);
    const refused: [args: string[], message: RegExp][] = [
      [["-afoo"], /unknown argument: foo/],
      [["-v", "-afoo"], /unknown argument: foo/],
      [["--all=foo"], /unknown argument: foo/],
      [["-vafoo"], /unknown argument: foo/],
      [["foo"], /unknown argument: foo/],
      [["foo", "1"], /unknown argument: foo/],
      [["shm"], /not enough arguments: shmkit ipcrm shm ID/],
      [[], /say what is to be removed/],
      [["--dry-run", "-m", "1"], /--dry-run needs --orphans/],
      [["--orphans", "-m", "1"], /--orphans goes without --shmem-id/],
      [["--orphans", "-a"], /--orphans goes without --all/],
    ];
    for (const [args, message] of refused)
      await assert.rejects(output(ipcrm, ...args), { code: "ERR_USAGE", message }, args.join(" "));
  });
});

interface Outcome {
  readonly removed: readonly { readonly id?: number; readonly name?: string; readonly why: string }[];
  readonly kept: Outcome["removed"];
}

/** Only what these patterns mean is touched. */
const orphans = async (patterns: readonly string[], ...args: string[]): Promise<Outcome> =>
  (await json(ipcrm, "--orphans", ...args, "--", ...patterns)) as unknown as Outcome;

/** What another process has done that has ended: a segment whose maker is gone. */
function segmentOfTheDead(): number {
  const program = `const { shmget, IPC_CREAT } = await import("shmkit/sysv"); console.log(shmget(0, 4096, IPC_CREAT | 0o600))`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    encoding: "utf8",
    cwd: dirname(dirname(dirname(CLI))),
  });
  assert.match(stdout, /^\d+\n$/, stderr);
  const id = Number(stdout);
  goesAway(() => shmctl(id, IPC_RMID));
  return id;
}

describe("ipcrm --orphans", () => {
  test("removes shared memory and semaphores of POSIX that nobody has mapped or open, and says why others stay", async () => {
    const name = uniqueRegionName("orphan");
    const descriptor = shm_open(`/${name}`, O_CREAT | O_RDWR);
    goesAway(() => shm_unlink(`/${name}`));
    ftruncate(descriptor, 4096);
    const semaphore = sem_open(`/${name}`, O_CREAT, 0o600, 1);
    goesAway(() => sem_unlink(`/${name}`));
    const stay = async (...args: string[]): Promise<string[]> => {
      const { removed, kept } = await orphans([name], ...args);
      assert.deepEqual(removed, []);
      return kept.map(({ why }) => why);
    };
    const used = "somebody has it mapped or open";
    assert.deepEqual(await stay("--older-than", "0"), [used, used], "open");
    const memory = mmap(4096, PROT_READ, MAP_SHARED, descriptor);
    close(descriptor);
    assert.deepEqual(await stay("--older-than", "0"), [used, used], "mapped");
    // Another process says who it is.
    const { text } = await run(["ipcrm", "--orphans", "--older-than", "0", name]);
    assert.match(text, new RegExp(`^POSIX shared memory /${name}  kept: used by ${process.pid} `, "m"));
    munmap(memory);
    sem_close(semaphore);
    for (const why of await stay()) assert.match(why, /^it was used or changed .* ago$/);
    const why = "nobody has it mapped or open";
    const all = [
      { kind: "posixSegment", name: `/${name}`, sizeBytes: 4096, why },
      { kind: "posixSemaphore", name: `/${name}`, why },
    ];
    assert.deepEqual((await orphans([`${name.slice(0, -1)}?`], "--dry-run", "--older-than", "0")).removed, all);
    assert.equal(leftovers().length, 2, "nothing was removed");
    assert.deepEqual((await orphans([`${name.slice(0, -2)}*`], "--older-than", "0ms")).removed, all);
    assert.deepEqual(leftovers(), []);
    assert.equal((await output(ipcrm, "-o", name)).text, "nothing to remove\n");
  });

  test("removes memory of System V when it is attached nowhere and its maker has ended, and no queues and semaphores", async () => {
    const [mine, dead, set] = [segment(), segmentOfTheDead(), semaphores()];
    const names = [mine, dead].map(String);
    const look = async (...args: string[]): Promise<Outcome> => orphans(names, "--older-than", "0", ...args);
    const memory = shmat(dead);
    const whyKept = ({ kept }: Outcome, kind: string, id: number): string | undefined =>
      kept.find((verdict) => verdict.id === id && (verdict as { kind?: string }).kind === kind)?.why;
    assert.match(whyKept(await look("-n"), "segment", dead)!, /^it is attached by /);
    shmdt(memory);
    // Whoever attached it last counts as well.
    assert.match(whyKept(await look(), "segment", dead)!, new RegExp(`^the process ${process.pid}, .* is alive$`));
    assert.match(whyKept(await look(), "segment", mine)!, new RegExp(`^the process ${process.pid}, .* is alive$`));
    // Somebody's memory may have the same number.
    assert.match(
      whyKept(await orphans([String(set)], "-n"), "semaphores", set)!,
      new RegExp(`ipcrm -s ${set} removes it$`),
    );
    const orphan = segmentOfTheDead();
    const { removed } = await orphans([String(orphan)], "--older-than", "0");
    assert.deepEqual(removed, [{ kind: "segment", id: orphan, sizeBytes: 4096, why: "nobody has it mapped or open" }]);
    assert.ok(!systemV().segments.some(({ id }) => id === orphan));
  });

  test("leaves a region to the library: one with a living member stays, one of the dead goes", async (t) => {
    await turnAmongTheDead(t);
    const alive = await joined("alive");
    const name = regionName("dead");
    const member = start(["send", `${name}/x`], { input: "line\n" });
    await until(() => Region.inspect(name)?.objects.some((object) => object.pipe?.closed === true) === true);
    member.kill("SIGKILL");
    await member.ended;
    const { removed, kept } = await orphans([alive.name, name], "--older-than", "0");
    assert.deepEqual(
      kept.map(({ name: of, why }) => [of, why]),
      [[alive.name, "a member is alive"]],
    );
    assert.deepEqual(
      removed.map(({ name: of }) => of),
      [name],
    );
    assert.equal(Region.inspect(name), undefined);
  });
});

/** Where nothing is anybody else's, and the file system of message queues is mounted. */
const queueFolder = mkdtempSync(join(tmpdir(), "shmkit-ipcs-"));
goesAway(() => rmSync(queueFolder, { recursive: true }));
const OWN_IPC = ["unshare", "-Urmi", "sh", "-c", 'mount -t mqueue none "$0" && exec "$@"', queueFolder] as const;

describe("in an IPC namespace of its own", { skip: refusal(OWN_IPC) }, () => {
  test("queues of POSIX are shown and removed when nobody has them open, and -a removes all of System V", () => {
    const program = `
        const { mq_open, mq_close, mq_sendSync, O_CREAT, O_RDWR } = await import("shmkit/posix");
        const { shmget, semget, msgget, IPC_CREAT } = await import("shmkit/sysv");
        const { spawnSync } = await import("node:child_process");
        const shmkit = (...args) => console.log(spawnSync(process.execPath, [${JSON.stringify(CLI)}, ...args], { encoding: "utf8" }).stdout);
        const queue = mq_open("/jobs", O_CREAT | O_RDWR, 0o600, { mq_maxmsg: 4, mq_msgsize: 100 });
        mq_sendSync(queue, new Uint8Array(10));
        shmkit("ipcs", "--posix", "--who");
        shmkit("ipcrm", "--orphans", "jobs", "--older-than", "0");
        mq_close(queue);
        shmkit("ipcrm", "--orphans", "jobs", "--older-than", "0");
        shmget(5, 100, IPC_CREAT | 0o600), semget(6, 1, IPC_CREAT | 0o600), msgget(7, IPC_CREAT | 0o600);
        shmkit("ipcrm", "-ashm", "-v");
        shmkit("ipcrm", "-va");
        shmkit("ipcs", "-a", "-u");`;
    const { stdout, stderr } = spawnSync(
      OWN_IPC[0],
      [...OWN_IPC.slice(1), process.execPath, "--input-type=module", "-e", program],
      { encoding: "utf8", cwd: dirname(dirname(dirname(CLI))) },
    );
    assert.equal(stderr, "");
    assert.match(stdout, /^\S+ +600 +\d+ +1 +4 +100 +\/jobs\n {2}\d+ \S+ \(open\)$/m);
    assert.match(stdout, /^POSIX queue \/jobs {2}kept: used by \d+ /m);
    assert.match(stdout, /^POSIX queue \/jobs {2}removed: nobody has it mapped or open$/m);
    assert.match(
      stdout,
      /^removing shared memory segment id `0'\n\nremoving message queue id `0'\nremoving semaphore id `0'$/m,
    );
    for (const none of ["allocated queues = 0", "segments allocated 0", "used arrays = 0"])
      assert.ok(stdout.includes(none), none);
  });
});
