/** `shmkit lock`: a program runs while a mutex is held, and its exit code is passed on. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Region } from "shmkit";
import { CLI, run, start, until } from "./helpers/cli-process.js";
import { joined, regionName } from "./helpers/cli-regions.js";
import { PseudoTerminal } from "./helpers/pseudo-terminal.js";

const NODE = process.execPath;
const program = (script: string): string[] => ["--", NODE, "-e", script];

describe("shmkit lock", () => {
  test("runs a program with the mutex, and passes its exit code and terminal on", async () => {
    const region = regionName();
    const script = `
      const { Region } = await import(${JSON.stringify(import.meta.resolve("shmkit"))});
      const { members, objects } = Region.inspect(${JSON.stringify(region)});
      console.log(objects[0].kind, members[0].label, process.argv.slice(1), process.env.SHMKIT_ABANDONED);
      process.exitCode = 7;`;
    const ended = await run([
      "lock",
      `${region}/m`,
      "--",
      NODE,
      "--input-type=module",
      "-e",
      script,
      "--",
      "-n",
      "x y",
    ]);
    assert.deepEqual(
      [ended.code, ended.text, ended.errors],
      [7, "rwlock shmkit lock m [ '-n', 'x y' ] undefined\n", ""],
    );
    assert.equal(Region.inspect(region), undefined, "the region went with its last user");
  });

  test("leaves everything behind the program to it, with and without --", async () => {
    const address = `${regionName()}/m`;
    const folder = mkdtempSync(join(tmpdir(), "shmkit-lock-"));
    const args = join(folder, "args.sh");
    writeFileSync(args, `#!/bin/sh\necho "$@"\nexit 9\n`, { mode: 0o755 });
    const theirs = ["-j", "4", "-n", "--timeout", "x", "--help", "-", "--", "--shared"];
    for (const between of [[], ["--"]]) {
      const { code, text } = await run(["lock", "-t", "5s", address, "--shared", ...between, args, ...theirs]);
      assert.deepEqual([code, text], [9, `${theirs.join(" ")}\n`]);
    }
    // Nor is the program's -j, or its name, a wish of how errors are told.
    const missing = await run(["lock", address, "/no/such/program", "-j"]);
    assert.match(missing.errors, /^shmkit: ERR_NO_PROGRAM: /);
    assert.equal((await run(["lock", "-j", address])).code, 2);
    rmSync(folder, { recursive: true });
  });

  test("waits until the mutex is free, or gives up", async () => {
    const region = await joined();
    const mutex = await region.mutex("m");
    const guard = await mutex.lock();
    const address = `${region.name}/m`;
    const waiting = start(["lock", address, ...program("")]);
    const refused = await Promise.all([
      run(["lock", "--no-wait", address, ...program("")]),
      run(["lock", "--timeout", "20ms", "-E", "42", "--json", address, ...program("")]),
    ]);
    assert.deepEqual(
      refused.map(({ code }) => code),
      [3, 42],
    );
    const me = `pid ${process.pid} tester`;
    assert.equal(refused[0].errors, `shmkit: ERR_TIMEOUT: ${address} was not free; held by ${me}\n`);
    const { error } = JSON.parse(refused[1].errors) as { error: object };
    const message = `${address} was not free within 20ms; held by ${me}`;
    assert.deepEqual(error, { code: "ERR_TIMEOUT", message, exitCode: 3, owner: me });
    guard.release();
    assert.equal((await waiting.ended).code, 0);
    assert.equal(mutex.ownerSlot, undefined);
  });

  test("shares a readers-writer lock, unless it is a mutex", async () => {
    const region = await joined();
    const address = `${region.name}/config`;
    const reader = start(["lock", "--shared", address, ...program("process.stdin.resume(); console.log()")], {
      interactive: true,
    });
    await until(() => reader.soFar !== "");
    const [shared, exclusive] = await Promise.all([
      run(["lock", "-s", "-n", address, ...program("")]),
      run(["lock", "-n", address, ...program("")]),
    ]);
    assert.deepEqual([shared.code, exclusive.code], [0, 3]);
    reader.endInput();
    assert.equal((await reader.ended).code, 0);
    assert.equal((await run(["lock", "-n", address, ...program("")])).code, 0);
    await region.mutex("m");
    const refused = await run(["lock", "-s", `${region.name}/m`, ...program("")]);
    assert.match(refused.errors, /^shmkit: ERR_WRONG_KIND: /);
  });

  test("passes signals on, and holds the mutex until the program has ended", async () => {
    const region = await joined();
    const mutex = await region.mutex("m");
    for (const [script, code] of [
      ["setInterval(() => {}, 1000); console.log()", 128 + constants.signals.SIGTERM],
      ["setInterval(() => {}, 1000); process.on('SIGTERM', () => process.exit(5)); console.log()", 5],
    ] as const) {
      const cli = start(["lock", `${region.name}/m`, ...program(script)]);
      await until(() => cli.soFar !== "");
      assert.notEqual(mutex.ownerSlot, undefined);
      cli.kill("SIGTERM");
      const ended = await cli.ended;
      assert.deepEqual([ended.code, ended.signal], [code, null]);
      assert.equal(mutex.ownerSlot, undefined);
    }
  });

  test("passes every signal on, not only the first", async () => {
    const region = await joined();
    const mutex = await region.mutex("m");
    const counting = "let n = 0; process.on('SIGTERM', () => { console.log(++n); if (n === 3) process.exit(7); });";
    const cli = start([
      "lock",
      `${region.name}/m`,
      ...program(`${counting} setInterval(() => {}, 1000); console.log(0)`),
    ]);
    for (const seen of ["0\n", "0\n1\n", "0\n1\n2\n"]) {
      await until(() => cli.soFar === seen);
      assert.notEqual(mutex.ownerSlot, undefined);
      cli.kill("SIGTERM");
    }
    assert.equal((await cli.ended).code, 7);
    assert.equal(mutex.ownerSlot, undefined);
  });

  /** Says which signals come, and how often each. */
  const counting = `
    const counts = {};
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGALRM", "SIGUSR1", "SIGUSR2"])
      process.on(name, () => {
        counts[name] = (counts[name] ?? 0) + 1;
        console.log(name + " " + counts[name]);
        if (name === "SIGTERM") process.exit(0);
      });
    setInterval(() => {}, 1000);
    console.log("ready");`;

  test("passes on each signal that can end it", async () => {
    const cli = start(["lock", `${regionName()}/m`, ...program(counting)]);
    let expected = "ready\n";
    await until(() => cli.soFar === expected);
    for (const name of ["SIGINT", "SIGHUP", "SIGQUIT", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGTERM"] as const) {
      cli.kill(name);
      expected += `${name} 1\n`;
      await until(() => cli.soFar === expected || cli.hasEnded);
    }
    const { code, text } = await cli.ended;
    assert.deepEqual([code, text], [0, expected]);
  });

  test("passes SIGINT on that was sent to it alone, and not that of Ctrl-C, which the program gets as well", async () => {
    const command = [NODE, CLI, "lock", `${regionName()}/m`, ...program(counting)];
    const terminal = new PseudoTerminal(command, 80, 24);
    await terminal.until((shown) => shown.includes("ready"));
    terminal.kill("SIGINT");
    await terminal.until((shown) => shown.includes("SIGINT 1"));
    terminal.type("\u0003");
    await terminal.until((shown) => shown.includes("SIGINT 2"));
    terminal.type("\u001c");
    await terminal.until((shown) => shown.includes("SIGQUIT 1"));
    terminal.kill("SIGQUIT");
    await terminal.until((shown) => shown.includes("SIGQUIT 2"));
    // What comes later is passed on later: a second SIGINT or SIGQUIT of one key would be there before it.
    terminal.kill("SIGTERM");
    const { shown, ending } = await terminal.ended;
    assert.equal(ending, "cooked code 0");
    assert.deepEqual(shown.match(/SIG\w+ \d/g), ["SIGINT 1", "SIGINT 2", "SIGQUIT 1", "SIGQUIT 2", "SIGTERM 1"]);
  });

  test("that is killed passes the mutex on, and tells the next program", async () => {
    const region = await joined();
    const mutex = await region.mutex("m");
    const cli = start(["lock", `${region.name}/m`, ...program("process.stdin.resume()")], { interactive: true });
    await until(() => mutex.ownerSlot !== undefined);
    cli.kill("SIGKILL");
    cli.endInput(); // which ends the program
    await cli.ended;
    const next = await run(["lock", `${region.name}/m`, ...program("console.log(process.env.SHMKIT_ABANDONED)")]);
    assert.deepEqual([next.code, next.text], [0, "1\n"]);
    // That one gave it back.
    const last = await run(["lock", `${region.name}/m`, ...program("console.log(process.env.SHMKIT_ABANDONED)")]);
    assert.deepEqual([last.code, last.text], [0, "undefined\n"]);
  });

  test("tells of a death until a program has run", async () => {
    const region = await joined();
    await region.mutex("mutex");
    for (const address of [`${region.name}/mutex`, `${region.name}/rwlock`]) {
      const cli = start(["lock", address, ...program("process.stdin.resume(); console.log()")], { interactive: true });
      await until(() => cli.soFar !== "");
      cli.kill("SIGKILL");
      cli.endInput();
      await cli.ended;
      for (const [file, code] of [
        ["/no/such/program", 127],
        ["/etc", 126],
      ] as const)
        assert.equal((await run(["lock", address, file])).code, code);
      const told = await run(["lock", address, ...program("console.log(process.env.SHMKIT_ABANDONED)")]);
      assert.deepEqual([told.code, told.text], [0, "1\n"]);
      const last = await run(["lock", address, ...program("console.log(process.env.SHMKIT_ABANDONED)")]);
      assert.equal(last.text, "undefined\n");
    }
  });

  test("passes the program's exit code on when the region is lost meanwhile, and says so", async () => {
    const region = regionName();
    const lose = `fs.truncateSync("/dev/shm/shmkit.${region}"); process.exit(7)`;
    const { code, errors } = await run(["lock", `${region}/m`, ...program(lose)]);
    assert.equal(code, 7);
    assert.match(errors, /^shmkit: ERR_REGION_LOST: .+\n$/);
    await Region.remove(region);
  });

  test("waits for a place in a region that is full, and makes regions with all places there can be", async () => {
    const name = regionName();
    const members = [await Region.create(name, { maxMembers: 2 }), await Region.open(name)];
    const waiting = start(["lock", `${name}/m`, ...program("")]);
    const refused = await Promise.all([
      run(["lock", "--timeout", "50ms", `${name}/m`, ...program("")]),
      run(["lock", "-n", "-E", "0", `${name}/m`, ...program("")]),
    ]);
    assert.deepEqual(
      refused.map(({ code }) => code),
      [3, 0],
    );
    const full = `among the members of ${name}\n`;
    assert.equal(refused[0].errors, `shmkit: ERR_TIMEOUT: no place was free within 50ms ${full}`);
    assert.equal(refused[1].errors, `shmkit: ERR_TIMEOUT: no place was free ${full}`);
    await members[1].close();
    assert.equal((await waiting.ended).code, 0);
    await members[0].close();
    const made = start(["lock", `${name}/m`, ...program("process.stdin.resume(); console.log()")], {
      interactive: true,
    });
    await until(() => made.soFar !== "");
    await assert.rejects(Region.open(name, { maxMembers: 64 }), { code: "ERR_OPTIONS_DIFFER", actual: 256 });
    made.endInput();
    await made.ended;
  });

  test("says what is wrong with its arguments and its program", async () => {
    const name = regionName();
    for (const [args, code, error = "ERR_\\w+"] of [
      [[`${name}/m`], 2],
      [[name, "true"], 2],
      [["-E", "256", `${name}/m`, "true"], 2],
      [["-n", "-t", "1", `${name}/m`, "true"], 2],
      [["-t", "x", `${name}/m`, "true"], 2],
      [[`${name}/m`, "/no/such/program"], 127, "ERR_NO_PROGRAM"],
      [[`${name}/m`, "/etc"], 126, "ERR_NOT_EXECUTABLE"],
      [["/no/such/folder/region/m", "true"], 4, "ERR_NOT_FOUND"],
    ] as const) {
      const ended = await run(["lock", ...args]);
      assert.equal(ended.code, code, ended.errors);
      assert.match(ended.errors, new RegExp(`^shmkit: ${error}: .+\\n$`));
    }
    assert.match((await run(["lock", "--help"])).text, /^ +4 +not found/m);
    const counter = await Region.create(name);
    await counter.counter("m");
    assert.match((await run(["lock", `${name}/m`, "true"])).errors, /ERR_WRONG_KIND/);
    await counter.close();
  });
});
