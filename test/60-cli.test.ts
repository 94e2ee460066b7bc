import assert from "node:assert/strict";
import { readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, test } from "node:test";
import { Region, ShmkitError } from "shmkit";
import { errorLine, EXIT_CODES, exitCodeOf, Interrupted } from "#src/cli/exit-codes.js";
import { helpOf, parse } from "#src/cli/command.js";
import { COMMANDS } from "#src/cli/command-table.js";
import { durationMs, formatDuration } from "#src/cli/durations.js";
import { formatBytes } from "#src/base/sizes.js";
import { formatMicroseconds, table } from "#src/cli/figures.js";
import { toJson } from "#src/cli/json.js";
import { Terminal } from "#src/cli/terminal.js";
import { run, start, until } from "./helpers/cli-process.js";
import { joined, regionName } from "./helpers/cli-regions.js";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { turnAmongTheDead } from "./helpers/turns.js";

const COMMAND_NAMES = Object.keys(COMMANDS);

interface Listed {
  regions: {
    name: string;
    sizeBytes: number;
    lifetime: string;
    members: { pid: number; label: string; alive: boolean }[];
    objects: {
      name: string;
      kind: string;
      value?: string;
      pipe?: { depth: number; capacity: number; sent: number };
      rates?: { sentPerSecond: number };
    }[];
  }[];
  unreadable: { name: string; code: string }[];
}

const listed = (text: string): Listed => JSON.parse(text) as Listed;

describe("help", () => {
  test("of every command names usage, options and exit codes", async () => {
    for (const [command, load] of Object.entries(COMMANDS)) {
      const text = helpOf((await load()).command);
      assert.match(text, new RegExp(`^usage: shmkit ${command}`));
      assert.match(text, /--help/);
      assert.match(text, /Exit codes:\n {2}0 /);
    }
  });

  test("is shown on standard output, with exit code 0", async () => {
    const { command } = await COMMANDS["send"]();
    assert.deepEqual(await run(["send", "q/x", "--help"]), {
      ...(await run(["help", "send"])),
      code: 0,
      text: helpOf(command),
      errors: "",
    });
  });

  test("shmkit --help lists every command and every exit code", async () => {
    const { code, text } = await run(["--help"]);
    assert.equal(code, 0);
    for (const command of COMMAND_NAMES) assert.match(text, new RegExp(`^ {2}${command} +\\w`, "m"));
    for (const exitCode of [0, 1, 2, 3, 4, 5, 130, 141, 143])
      assert.match(text, new RegExp(`^ {2}${exitCode} +\\w`, "m"));
  });

  test("shmkit --version", async () => {
    assert.match((await run(["--version"])).text, /^\d+\.\d+\.\d+\n$/);
  });
});

describe("exit codes", () => {
  const wrong: [args: string[], code: number, line: RegExp][] = [
    [["frobnicate"], 2, /^shmkit: ERR_USAGE: there is no command "frobnicate"/],
    [["ls", "--jsn"], 2, /^shmkit: ERR_USAGE: Unknown option '--jsn'/],
    [["send", "no-slash"], 2, /^shmkit: ERR_USAGE: an address is REGION\/NAME/],
    [["recv", "..x/b", "--timeout", "1ms"], 2, /^shmkit: ERR_INVALID_NAME: /],
    [["recv", "q/x", "--timeout", "soon"], 2, /^shmkit: ERR_USAGE: --timeout must be a time/],
    [["send", "q/x", "--size", "12 parsecs"], 2, /^shmkit: ERR_INVALID_SIZE: /],
    [["send", "q/x", "--capacity", "0"], 2, /^shmkit: ERR_OUT_OF_RANGE: /],
    [["send", "q/x", "no-such-file"], 4, /^shmkit: ENOENT: no such file/],
    [["rm", "no-such-region"], 4, /^shmkit: ERR_NOT_FOUND: there is no no-such-region/],
    [["inspect", "no-such-region"], 4, /^shmkit: ERR_NOT_FOUND: /],
    [["ls", "no-such-region"], 4, /^shmkit: ERR_NOT_FOUND: /],
    [["ls", "app/jobs"], 2, /^shmkit: ERR_USAGE: "app\/jobs" is no region; .*: shmkit inspect app\/jobs/],
    [["top", "app/jobs"], 2, /^shmkit: ERR_USAGE: "app\/jobs" is no region/],
    [["rm", "a/b/c"], 2, /^shmkit: ERR_USAGE: an address is REGION or REGION\/NAME, not "a\/b\/c"/],
    [["inspect", "app/"], 2, /^shmkit: ERR_USAGE: an address is REGION or REGION\/NAME/],
    [["top", "--interval", "0"], 2, /^shmkit: ERR_USAGE: --interval must be at least 10ms/],
  ];
  for (const [args, code, line] of wrong) {
    test(`${args.join(" ")} is ${code}, in one line`, async () => {
      const unique = args.map((argument) => argument.replace(/^q\//, `${uniqueRegionName()}/`));
      const ended = await run(unique);
      assert.match(ended.errors, line);
      assert.equal(ended.errors.trimEnd().split("\n").length, 1);
      assert.equal(ended.code, code);
      assert.equal(ended.text, "");
    });
  }

  test("of usage are told from the words alone", async () => {
    const { signal } = new AbortController();
    const terminal = new Terminal(signal, () => undefined);
    const wrong: [args: string[], message: RegExp][] = [
      [["send"], /usage: shmkit send/],
      [["send", "no-slash"], /an address is REGION/],
      [["recv", "a/b/c"], /an address is REGION/],
      [["recv", "-a/b"], /Unknown option/],
      [["recv", "a/"], /an address is REGION/],
      [["recv", "q/x", "--count", "some"], /--count must be a whole number/],
      [["send", "q/x", "--capacity", "many"], /--capacity must be a whole number/],
      [["demo", "--limit-mib", "0"], /--limit-mib must be/],
      [["completion", "tcsh"], /there is completion for bash, zsh, fish/],
    ];
    for (const [[name, ...args], message] of wrong) {
      const { command } = await COMMANDS[name]();
      const running = async (): Promise<unknown> => command.run(parse(command, args, signal, terminal));
      await assert.rejects(running, (error: Error) => exitCodeOf(error) === 2 && message.test(error.message));
    }
  });

  test("no command at all shows the help on standard error", async () => {
    const { code, text, errors } = await run([]);
    assert.equal(code, 2);
    assert.equal(text, "");
    assert.match(errors, /^usage: shmkit COMMAND/);
  });

  test("stand in the guide as in the help", () => {
    const guide = readFileSync(new URL("../../docs/guide/cli.md", import.meta.url), "utf8");
    for (const [exitCode, meaning] of Object.entries(EXIT_CODES))
      assert.ok(guide.includes(`| ${exitCode} | ${meaning} |`), exitCode);
    for (const command of COMMAND_NAMES) assert.match(guide, new RegExp(`^\\| \`${command}\\b`, "m"));
  });

  test("errors of the library and the system have theirs", () => {
    assert.equal(exitCodeOf(new ShmkitError("ERR_NOT_OWNER", "x")), 5);
    assert.equal(exitCodeOf(new ShmkitError("ERR_PERMISSION", "x")), 5);
    assert.equal(exitCodeOf(new ShmkitError("ERR_TIMEOUT", "x")), 3);
    assert.equal(exitCodeOf(new ShmkitError("ERR_NO_SPACE", "x")), 1);
    assert.equal(exitCodeOf(Object.assign(new Error("x"), { code: "EACCES" })), 5);
    assert.equal(exitCodeOf(new Error("x")), 1);
    assert.equal(exitCodeOf(new Interrupted("SIGINT")), 130);
    assert.equal(exitCodeOf(new Interrupted("SIGTERM")), 143);
    assert.equal(errorLine(new ShmkitError("ERR_TIMEOUT", "a\nb")), "shmkit: ERR_TIMEOUT: a b");
    assert.equal(errorLine(Object.assign(new Error("ENOENT: no x"), { code: "ENOENT" })), "shmkit: ENOENT: no x");
  });
});

describe("what people read", () => {
  test("times", () => {
    assert.deepEqual(
      ["500ms", "5s", "5", "2m", "1.5h"].map((text) => durationMs(text, "--timeout")),
      [500, 5000, 5000, 120_000, 5_400_000],
    );
    for (const text of ["", "-1", "5 s", "1d", "s"])
      assert.throws(() => durationMs(text, "--timeout"), /must be a time/);
    assert.deepEqual([0, 999, 1000, 90_000, 7_200_000, 2e8].map(formatDuration), [
      "0 ms",
      "999 ms",
      "1 s",
      "1 min",
      "2 h",
      "2 d",
    ]);
  });

  test("sizes and tables", () => {
    assert.deepEqual([0, 1023, 1536, 2 ** 30].map(formatBytes), ["0 B", "1023 B", "1.5 KiB", "1 GiB"]);
    assert.deepEqual([0.15, 99.96, 250, 1500].map(formatMicroseconds), ["0.1 µs", "100.0 µs", "250 µs", "1.5 ms"]);
    assert.deepEqual(
      table(
        [
          ["a", "1"],
          ["bcd", "23"],
        ],
        [1],
      ),
      ["a     1", "bcd  23"],
    );
  });

  test("values as JSON", () => {
    const value = {
      big: 10n ** 47n,
      bytes: new Uint8Array([1, 2, 3]),
      set: new Set([1]),
      floats: new Float32Array([1.5]),
    };
    assert.equal(toJson(value), `{"big":"1${"0".repeat(47)}","bytes":"AQID","set":[1],"floats":[1.5]}`);
  });
});

describe("ls", () => {
  test("show members, objects and rates, as text and as JSON", async () => {
    const region = await joined("ls");
    const pipe = await region.pipe("jobs", { capacity: 10 });
    await pipe.send("one");
    await (await region.counter("visits")).add(41n);
    const guard = await (await region.mutex("door")).lock();
    const found = listed((await run(["ls", region.name, "--json", "--interval", "20ms"])).text);
    assert.equal(found.regions.length, 1);
    const [{ members, objects, lifetime, sizeBytes }] = found.regions;
    assert.equal(lifetime, "process");
    assert.equal(sizeBytes, 2 ** 20);
    assert.deepEqual(
      members.map(({ pid, label, alive }) => ({ pid, label, alive })),
      [{ pid: process.pid, label: "tester", alive: true }],
    );
    const jobs = objects.find((object) => object.name === "jobs")!;
    assert.deepEqual(
      [jobs.pipe!.depth, jobs.pipe!.capacity, jobs.pipe!.sent, jobs.rates!.sentPerSecond],
      [1, 10, 1, 0],
    );
    assert.equal(objects.find((object) => object.name === "visits")!.value, "41");

    const { text, code } = await run(["ls", region.name, "--interval", "0"]);
    assert.equal(code, 0);
    assert.match(text, /1 MiB of at most 1 GiB, 1 member alive/);
    assert.match(text, /jobs +1 +10 +1 /);
    assert.match(text, /counter visits = 41/);
    assert.match(text, new RegExp(`mutex door \\(held by pid ${process.pid} tester\\)`));
    assert.ok(!text.includes("\u001b"));
    guard.release();
  });

  test("the whole list holds this region, and its names complete addresses", async (t) => {
    await turnAmongTheDead(t);
    const region = await joined("all");
    await region.counter("hits");
    assert.ok(
      listed((await run(["ls", "--json", "--interval", "0"])).text).regions.some((found) => found.name === region.name),
    );
    const names = (await run(["ls", "--names"])).text.split("\n");
    assert.ok(names.includes(region.name) && names.includes(`${region.name}/hits`));
  });

  test("tell rates, and who is alive after kill -9", async () => {
    const region = await joined("dead");
    const waiting = start(["recv", `${region.name}/nothing`]);
    await until(() => region.members().length === 2);
    assert.equal(
      listed((await run(["ls", region.name, "--json"])).text).regions[0].members.filter(({ alive }) => alive).length,
      2,
    );
    waiting.kill("SIGKILL");
    await waiting.ended;
    const { members } = listed((await run(["ls", region.name, "--json"])).text).regions[0];
    assert.deepEqual(
      members.filter(({ alive }) => alive).map(({ pid }) => pid),
      [process.pid],
    );
    const pipe = await region.pipe("moving", { capacity: 100 });
    // This process may not get to run between the two looks: then again, with more time.
    for (let milliseconds = 100, rate = 0; rate === 0; milliseconds *= 2) {
      const listing = run(["ls", region.name, "--json", "--interval", `${milliseconds}ms`]);
      let over = false;
      void listing.then(() => (over = true));
      while (!over) {
        await pipe.send(1);
        await pipe.receive();
        await sleep(1);
      }
      const moving = listed((await listing).text).regions[0].objects.find((object) => object.name === "moving")!;
      rate = moving.rates!.sentPerSecond;
    }
  });

  test("a file that is no region is shown as such, and rm removes it", async () => {
    const broken = regionName("broken");
    writeFileSync(`/dev/shm/shmkit.${broken}`, Buffer.alloc(8192, 7));
    const { unreadable } = listed((await run(["ls", broken, "--json"])).text);
    assert.deepEqual(
      unreadable.map((found) => [found.name, found.code]),
      [[broken, "ERR_BAD_REGION"]],
    );
    assert.match((await run(["ls", broken])).text, /ERR_BAD_REGION/);
    assert.equal((await run(["inspect", broken])).code, 1);
    assert.equal((await run(["rm", broken])).code, 0);
  });
});

describe("rm", () => {
  test("leaves the Web Locks to the region, whose object inspect shows", async (t) => {
    await turnAmongTheDead(t);
    const region = await joined("rm-locks");
    const address = `${region.name}//locks`;
    await region.locks.request("held", async () => {
      assert.ok((await run(["ls", "--names"])).text.split("\n").includes(address));
      assert.match((await run(["inspect", address])).text, /held +by member 0.*, held exclusive/);
      const { code, errors } = await run(["rm", address]);
      assert.equal(code, 2);
      const advice = `the Web Locks of a region go with it: shmkit rm ${region.name}`;
      assert.equal(errors, `shmkit: ERR_USAGE: ${advice}\n`);
    });
    assert.equal(await region.locks.request("still there", (lock) => lock?.name), "still there");
    for (const command of ["send", "recv", "lock"]) {
      const { code, errors } = await run([command, address]);
      assert.deepEqual([code, /ERR_USAGE/.test(errors)], [2, true], command);
    }
  });

  test("what is no regular file, and a region of another version, are told as what they are", async () => {
    const link = regionName("link");
    symlinkSync("/nowhere", `/dev/shm/shmkit.${link}`);
    const other = await joined("version");
    new Int32Array(other.buffer)[2] += 1;
    try {
      for (const [region, code, help] of [
        [link, "ERR_BAD_REGION", /no regular file.*rm\(1\)/],
        [other.name, "ERR_VERSION", /same version in every process/],
      ] as const) {
        const listing = await run(["ls", region]);
        assert.equal(listing.code, 1);
        assert.match(listing.text, new RegExp(`^${region}  ${code}: `));
        assert.match(listing.text, help);
        assert.doesNotMatch(listing.text, /shmkit rm/);
        assert.equal((await run(["inspect", region])).code, 1);
      }
    } finally {
      rmSync(`/dev/shm/shmkit.${link}`);
      new Int32Array(other.buffer)[2] -= 1;
    }
  });

  test("rm removes regions and objects, says what is missing, and goes on", async () => {
    const region = await joined("rm");
    const other = await joined("rm");
    await region.pipe("jobs");
    await region.counter("hits");
    await region.mutex("door");
    for (const object of ["jobs", "hits", "door"])
      assert.equal((await run(["rm", `${region.name}/${object}`])).code, 0);
    assert.deepEqual(Region.inspect(region.name)!.objects, []);
    const ended = await run(["rm", `${region.name}/jobs`, "missing", region.name, other.name]);
    assert.equal(ended.code, 4);
    assert.equal(ended.errors.trimEnd().split("\n").length, 2);
    assert.equal(Region.inspect(region.name), undefined);
    assert.equal(Region.inspect(other.name), undefined);
    assert.equal((await run(["rm", "--force", region.name])).code, 0);
  });
});
