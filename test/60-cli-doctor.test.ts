import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { promisify } from "node:util";
import { probeSystem, Region, type FacilityName } from "shmkit";
import { findingsOf, type Facts, type Finding } from "#src/cli/doctor/findings.js";
import { machineFacts, type MachineFacts } from "#src/cli/doctor/machine.js";
import { CLI, run } from "./helpers/cli-process.js";
import { regionName } from "./helpers/cli-regions.js";

const MIB = 2 ** 20;

/** A folder that looks like `/` with these files. */
function rootWith(t: TestContext, files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), "shmkit-doctor-"));
  t.after(() => rmSync(root, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

describe("what the machine says", () => {
  test("is read from the kernel's files", (t) => {
    const root = rootWith(t, {
      "proc/self/limits": `Limit                     Soft Limit           Hard Limit           Units
Max data size             unlimited            unlimited            bytes
Max open files            1024                 524288               files
Max address space         4294967296           unlimited            bytes
`,
      "proc/sys/fs/inotify/max_user_instances": "128\n",
      "proc/sys/fs/inotify/max_user_watches": "65536\n",
      "proc/sys/kernel/shmmax": "18446744073692774399\n",
      "proc/sys/vm/overcommit_memory": "2\n",
      "sys/fs/cgroup/memory.max": "536870912\n",
    });
    const facts = machineFacts(root, {});
    assert.deepEqual(facts.limits, { addressSpaceBytes: 2 ** 32, dataBytes: null, openFiles: 1024 });
    assert.deepEqual(facts.inotify, { maxUserInstances: 128, maxUserWatches: 65_536 });
    assert.deepEqual(facts.systemV, { shmmax: "18446744073692774399", shmall: undefined, shmmni: undefined });
    assert.equal(facts.overcommit, 2);
    assert.equal(facts.memoryLimitBytes, 512 * MIB);
    assert.equal(facts.sharedMemory, undefined);
    assert.equal(facts.container, undefined);
  });

  test("of memory's control group in both versions", (t) => {
    const limit = (files: Readonly<Record<string, string>>): unknown =>
      machineFacts(rootWith(t, files), {}).memoryLimitBytes;
    assert.equal(limit({ "sys/fs/cgroup/memory.max": "max\n" }), null);
    assert.equal(limit({ "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n" }), null);
    assert.equal(limit({ "sys/fs/cgroup/memory/memory.limit_in_bytes": "1048576\n" }), MIB);
    assert.equal(limit({}), undefined);
  });

  test("of containers, by what their engines put into them", (t) => {
    const kind = (files: Readonly<Record<string, string>>, environment: NodeJS.ProcessEnv = {}): unknown =>
      machineFacts(rootWith(t, files), environment).container?.kind;
    assert.equal(kind({}), undefined);
    assert.equal(kind({ ".dockerenv": "" }), "docker");
    assert.equal(kind({ "run/.containerenv": "" }), "podman");
    assert.equal(kind({ ".dockerenv": "" }, { KUBERNETES_SERVICE_HOST: "10.0.0.1" }), "kubernetes");
    assert.equal(kind({ "proc/1/cgroup": "0::/docker/0123\n" }), "docker");
    assert.equal(kind({ "proc/1/cgroup": "0::/kubepods/burstable/pod1\n" }), "kubernetes");
    assert.equal(kind({ "proc/1/cgroup": "0::/lxc/box\n" }), "other");
    assert.equal(kind({ "proc/1/cgroup": "0::/init.scope\n" }), undefined);
    assert.equal(kind({}, { container: "systemd-nspawn" }), "other");
  });

  test("here: the limits of this process and the size of /dev/shm", () => {
    const { limits, sharedMemory } = machineFacts();
    assert.ok(limits.openFiles === null || limits.openFiles! > 0);
    assert.ok(sharedMemory!.sizeBytes >= sharedMemory!.freeBytes);
  });
});

describe("findings", () => {
  const machine: MachineFacts = {
    kernel: "6.1",
    node: "v20",
    platform: "linux x64",
    sharedMemory: { path: "/dev/shm", isTmpfs: true, sizeBytes: 1024 * MIB, freeBytes: 900 * MIB },
    limits: { addressSpaceBytes: null, dataBytes: null, openFiles: 1024 },
    inotify: { maxUserInstances: 128, maxUserWatches: 1000 },
    systemV: { shmmax: "1", shmall: "1", shmmni: "1" },
    overcommit: 0,
    memoryLimitBytes: null,
    container: undefined,
  };
  const addon = { path: "/a.node", abi: 2, libc: "musl" } as const;
  const facts = (more: Partial<MachineFacts> = {}): Facts => ({
    machine: { ...machine, ...more },
    system: { addon, facilities: [] },
    failure: undefined,
    unused: [],
    unreadable: [],
  });
  const find = (given: Facts, about: string): Finding => findingsOf(given).find((finding) => finding.about === about)!;

  test("on a machine as it should be are all ok, without advice", () => {
    for (const { about, level, advice } of findingsOf(facts()))
      assert.deepEqual([level, advice], ["ok", undefined], about);
    assert.match(find(facts(), "addon").text, /^\/a\.node, contract 2, for musl; /);
  });

  const size = (sizeBytes: number, freeBytes: number): Partial<MachineFacts> => ({
    sharedMemory: { ...machine.sharedMemory!, sizeBytes, freeBytes },
  });
  const docker = { container: { kind: "docker", evidence: "x" } } as const;
  const cases: [what: string, given: Facts, about: string, level: string, advice: RegExp][] = [
    ["no /dev/shm", facts({ sharedMemory: undefined }), "/dev/shm", "problem", /mount a tmpfs/],
    ["a full one", facts(size(64 * MIB, 16 * MIB)), "/dev/shm", "problem", /shmkit clean.*remount,size/],
    ["a full one in Docker", facts({ ...size(64 * MIB, MIB), ...docker }), "/dev/shm", "problem", /--shm-size/],
    ["a small one in Docker", facts({ ...size(64 * MIB, 64 * MIB), ...docker }), "/dev/shm", "note", /--shm-size/],
    [
      "one on a disk",
      facts({ sharedMemory: { ...machine.sharedMemory!, isTmpfs: false } }),
      "/dev/shm",
      "note",
      /mount a tmpfs/,
    ],
    [
      "little address space",
      facts({ limits: { ...machine.limits, addressSpaceBytes: 2 ** 30 } }),
      "address space (RLIMIT_AS)",
      "note",
      /ulimit -v/,
    ],
    [
      "little data",
      facts({ limits: { ...machine.limits, dataBytes: MIB } }),
      "data (RLIMIT_DATA)",
      "note",
      /ulimit -d/,
    ],
    [
      "few files",
      facts({ limits: { ...machine.limits, openFiles: 64 } }),
      "open files (RLIMIT_NOFILE)",
      "note",
      /ulimit -n/,
    ],
    ["strict overcommit", facts({ overcommit: 2 }), "vm.overcommit_memory", "note", /smaller maxSize/],
    [
      "a memory limit below /dev/shm",
      facts({ memoryLimitBytes: 512 * MIB }),
      "memory of the control group",
      "note",
      /counts against it/,
    ],
    [
      "few instances",
      facts({ inotify: { maxUserInstances: 8, maxUserWatches: 8 } }),
      "inotify limits",
      "note",
      /max_user_instances=128/,
    ],
    ["Docker", facts(docker), "container", "note", /--ipc=shareable.*volume.*--shm-size=1g/],
    ["Kubernetes", facts({ container: { kind: "kubernetes", evidence: "x" } }), "container", "note", /emptyDir/],
    [
      "a region left behind",
      { ...facts(), unused: [{ name: "old", why: "nobody" }] },
      "region old",
      "note",
      /shmkit clean/,
    ],
    [
      "what is no region",
      { ...facts(), unreadable: [{ name: "odd", why: "ERR_BAD_REGION" }] },
      "file odd",
      "note",
      /shmkit rm odd/,
    ],
    [
      "an addon that does not load",
      { ...facts(), system: undefined, failure: "ERR_ADDON: x" },
      "addon",
      "problem",
      /no region can be made/,
    ],
  ];
  for (const [what, given, about, level, advice] of cases) {
    test(`${what}: ${level}, and what to do`, () => {
      const finding = find(given, about);
      assert.equal(finding.level, level);
      assert.match(finding.advice!, advice);
    });
  }

  test("have advice for everything that may not work", async () => {
    const { facilities } = await probeSystem();
    for (const { name, needed } of facilities) {
      const broken = { name, needed, works: false, failure: "EPERM" };
      const given = { ...facts(), system: { addon, facilities: [broken] } };
      const { level, text, advice } = find(given, name satisfies FacilityName);
      assert.equal(level, needed ? "problem" : "note");
      assert.match(text, /EPERM/);
      assert.ok(advice !== undefined && advice.length > 10, name);
    }
  });
});

interface Report {
  readonly healthy: boolean;
  readonly findings: readonly Finding[];
  readonly facts: { readonly machine: MachineFacts; readonly system?: { addon: { path: string } } };
}

/** Regions work here, but other tests may fill a small /dev/shm just now. */
function assertHealthy(code: number | null, text: string): void {
  const problems = text.split("\n").filter((line) => line.startsWith("problem"));
  for (const problem of problems) assert.match(problem, /^problem {2}\/dev\/shm: .*not enough/);
  assert.equal(code, problems.length === 0 ? 0 : 1);
  assert.match(text, problems.length === 0 ? /regions work here\n$/ : /regions do not work here as they should\n$/);
}

describe("shmkit doctor", () => {
  test("says that regions work here, and names what was left behind", async () => {
    const left = await Region.create(regionName("left"), { size: "64KiB", maxSize: "1MiB", lifetime: "kernel" });
    await left.close();
    const broken = regionName("broken");
    writeFileSync(`/dev/shm/shmkit.${broken}`, "no region");
    const { text, errors, code } = await run(["doctor"]);
    rmSync(`/dev/shm/shmkit.${broken}`);
    await Region.remove(left.name);
    assert.equal(errors, "");
    assertHealthy(code, text);
    assert.match(text, /^ok {7}addon: .*\.node, contract \d+, for (glibc|musl); Node v/m);
    for (const name of ["OFD locks", "futex", "shared mapping"]) assert.ok(text.includes(`ok       ${name}: works\n`));
    assert.match(
      text,
      new RegExp(`^note     region ${left.name}: left behind: .*asked to stay.*\n +→ shmkit clean`, "m"),
    );
    assert.match(text, new RegExp(`^note     file ${broken}: ERR_BAD_REGION: .*\n +→ .*shmkit rm ${broken}`, "m"));
  });

  test("as JSON has findings and facts", async () => {
    const { healthy, findings, facts } = JSON.parse((await run(["doctor", "--json"])).text) as Report;
    assert.equal(
      healthy,
      findings.every(({ level }) => level !== "problem"),
    );
    assert.ok(findings.length > 15);
    assert.match(facts.system!.addon.path, /\.node$/);
    assert.ok(facts.machine.sharedMemory!.sizeBytes > 0);
  });

  const shell = async (command: string, environment: NodeJS.ProcessEnv = {}): Promise<{ code: number; text: string }> =>
    promisify(execFile)("sh", ["-c", command, process.execPath, CLI], { env: { ...process.env, ...environment } }).then(
      ({ stdout }) => ({ code: 0, text: stdout }),
      ({ code, stdout }: { code: number; stdout: string }) => ({ code, text: stdout }),
    );

  test("tells that the addon does not load, and is exit code 1", async () => {
    const { code, text } = await shell('exec "$0" "$1" doctor', { SHMKIT_ADDON: "/nowhere.node" });
    assert.equal(code, 1);
    assert.match(text, /^problem {2}addon: ERR_ADDON: no native addon .*\n +→ /);
    assert.match(text, /regions do not work here as they should\n$/);
  });

  test("tells on another system that there is no addon for it", async () => {
    const elsewhere = `data:text/javascript,Object.defineProperty(process,"platform",{value:"darwin"})`;
    const { code, text } = await shell(`exec "$0" --import '${elsewhere}' "$1" doctor`, {
      SHMKIT_ADDON: "/nowhere.node",
    });
    assert.equal(code, 1);
    assert.match(
      text,
      /no native addon for darwin .*shmkit works on Linux, and on Windows for x64: elsewhere, run it in a Linux container/,
    );
    assert.doesNotMatch(text, /npm run build/);
  });

  test("tells of the limits it runs under", async () => {
    const { code, text } = await shell('ulimit -n 100; exec "$0" "$1" doctor');
    assertHealthy(code, text);
    assert.match(text, /^note {5}open files \(RLIMIT_NOFILE\): 100\n +→ .*ulimit -n/m);
  });
});
