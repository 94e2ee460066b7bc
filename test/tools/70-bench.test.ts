import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { BENCHMARKS } from "../../benchmarks/catalogue.js";
import { runPrograms } from "../../benchmarks/processes.js";
import { type Figures, figuresOf, joined, type Results } from "../../benchmarks/results.js";
import { tableOf } from "../../benchmarks/table.js";
import { compileC } from "../../benchmarks/tools.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const MAIN = join(ROOT, "build/benchmarks/main.js");
const folder = mkdtempSync(join(tmpdir(), "shmkit-bench-test-"));
after(() => rmSync(folder, { recursive: true, force: true }));

async function bench(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child: ChildProcess = spawn(process.execPath, [MAIN, ...args], {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stdout!.on("data", (chunk) => (output += String(chunk)));
  child.stderr!.on("data", (chunk) => (output += String(chunk)));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, output };
}

describe("npm run bench", () => {
  test("measures what it is asked for, and writes it as JSON", async () => {
    const json = join(folder, "results.json");
    const args = ["--quick", "--rounds", "2", "--only", "mutex,spsc-64B", "--contenders", "shmkit,c-limit,c-same"];
    const { code, output } = await bench([...args, "--json", json, "--plot", join(folder, "plots")]);
    assert.equal(code, 0, output);
    const { machine, quick, rounds, results } = JSON.parse(readFileSync(json, "utf8")) as Results;
    assert.equal(machine.node, process.version);
    assert.ok(machine.cores >= 1 && machine.cpu !== "" && machine.kernel !== "");
    assert.equal(typeof machine.pinned, "boolean");
    assert.equal(machine.loadAverage.length, 3);
    assert.equal(quick, true);
    assert.equal(rounds, 2);
    assert.deepEqual(
      results.map(({ name, call, unit, better }) => [name, call, unit, better]),
      [
        ["spsc-64B", "sendBytesSync/receiveIntoSync", "messages/s", "higher"],
        ["mutex", "lockSync/release", "ns", "lower"],
      ],
    );
    for (const { name, unit, contenders, ratios } of results) {
      assert.deepEqual(Object.keys(contenders), ["shmkit", "c-limit", "c-same"]);
      for (const [contender, outcome] of Object.entries(contenders)) {
        const { min, median, max, p50, p99 } = outcome as Figures;
        assert.ok(0 < min && min <= median && median <= max, `${contender}: ${min} ${median} ${max}`);
        if (unit === "ns") assert.ok(p50! <= p99!, `${contender}: ${p50} ${p99}`);
      }
      const [own, other] = [contenders.shmkit as Figures, contenders["c-limit"] as Figures];
      const ratio = own.median / other.median;
      assert.ok(Math.abs(ratios["shmkit/c-limit"] / ratio - 1) < 0.001);
      assert.match(output, new RegExp(`^${name}: `, "m"));
      assert.match(readFileSync(join(folder, `plots/${name}.svg`), "utf8"), /^<svg [\s\S]*c-same[\s\S]*<\/svg>\n$/);
    }
    assert.match(output, /quick: fewer and shorter rounds/);
    const again = await bench(["--from", json]);
    assert.equal(again.code, 0);
    assert.equal(again.output, output);
  });

  test("compares copies of a file with views of it, by size", async () => {
    const [json, contenders] = [join(folder, "copy-or-map.json"), ["shmkit", "shmkit-kept", "read", "read-fresh"]];
    const names = ["copy-or-map-4KiB", "copy-or-map-16MiB"];
    const args = ["--quick", "--rounds", "1", "--only", names.join(","), "--contenders", contenders.join(",")];
    const { code, output } = await bench([...args, "--json", json]);
    assert.equal(code, 0, output);
    const [small, large] = (JSON.parse(readFileSync(json, "utf8")) as Results).results;
    assert.deepEqual([small.name, large.name], names);
    for (const contender of contenders) {
      const [of4KiB, of16MiB] = [small, large].map((result) => (result.contenders[contender] as Figures).median);
      assert.ok(of4KiB > 0 && of4KiB < of16MiB, `${contender}: ${of4KiB} ns for 4 KiB, ${of16MiB} for 16 MiB`);
    }
  });

  test("says how it is used", async () => {
    const help = await bench(["--help"]);
    assert.equal(help.code, 0);
    for (const option of ["--quick", "--only", "--rounds", "--json"]) assert.ok(help.output.includes(option));
    const wrong = await bench(["--only", "spsc-65B"]);
    assert.equal(wrong.code, 1);
    assert.match(wrong.output, /there is no spsc-65B; there are spin-round-trip, parked-round-trip/);
    assert.equal((await bench(["--rounds", "0"])).code, 1);
  });

  test("fails without a C compiler, and names the package", async () => {
    const checkout = join(folder, "checkout");
    const copied = ["package.json", "dist", "build/benchmarks", "build/shmkit.node", "benchmarks/c", "interop/c"];
    for (const path of copied) cpSync(join(ROOT, path), join(checkout, path), { recursive: true });
    cpSync(join(ROOT, "node_modules/msgpackr"), join(checkout, "node_modules/msgpackr"), { recursive: true });
    rmSync(join(checkout, "build/benchmarks/c"), { recursive: true, force: true });
    const child = spawn(process.execPath, [join(checkout, "build/benchmarks/main.js"), "--only", "mutex"], {
      env: { ...process.env, CC: "no-such-cc" },
    });
    let output = "";
    child.stderr.on("data", (chunk) => (output += String(chunk)));
    const [code] = (await once(child, "close")) as [number | null];
    assert.equal(code, 1);
    assert.match(output, /the compiler "no-such-cc" is missing: install the package gcc/);
  });

  test("has every name that is promised, each with its call", () => {
    const names = BENCHMARKS.map(({ name }) => name);
    assert.deepEqual(names, [
      ...["spin-round-trip", "parked-round-trip", "wake-latency", "spsc-64B", "spsc-64B-fresh", "spsc-64B-await"],
      ...["mpmc-64B", "object", "bulk-1MiB", "mutex", "mutex-contended", "lock-handover", "rwlock-read"],
      ...["semaphore", "condition", "fairness-mutex", "fairness-rwlock", "fairness-semaphore", "fairness-web-locks"],
      ...["posix-semaphore", "posix-queue", "sysv-semaphore", "sysv-queue", "web-locks"],
      ...["struct-fields", "mapped-view", "copy-or-map-4KiB", "copy-or-map-64KiB", "copy-or-map-1MiB"],
      ...["copy-or-map-16MiB", "attach", "import", "idle"],
    ]);
    for (const { call, contenders } of BENCHMARKS) {
      assert.notEqual(call, "");
      assert.equal(contenders[0].name, "shmkit");
      assert.equal(new Set(contenders.map(({ name }) => name)).size, contenders.length);
    }
  });
});

describe("the runner", () => {
  const launcher = compileC(ROOT);
  const node = (code: string) => ({ command: [process.execPath, "-e", code], cores: [] });
  const FOREVER = "setInterval(() => {}, 1000)";

  test("ends the others when one side fails, and says what that said", async () => {
    const failing = node("console.error('planted'); process.exitCode = 3");
    await assert.rejects(runPrograms(launcher, [node(FOREVER), failing], 60_000), /ended with 3\nplanted/);
  });

  test("ends a contender that hangs", async () => {
    await assert.rejects(runPrograms(launcher, [node(FOREVER)], 200), /still running after 0.2 s/);
  });

  test("takes no report of nothing, and no message that was lost", () => {
    const report = { value: 5, checked: 10 };
    assert.deepEqual(joined([report, { sent: 4 }, { sent: 6 }]), report);
    assert.deepEqual(joined([report, report, { sent: 20 }]), { value: 10, checked: 20 });
    assert.throws(() => joined([report, { sent: 11 }]), /10 messages were received/);
    assert.throws(() => joined([]), /nothing was measured/);
    assert.throws(() => joined([{ value: Number.NaN, checked: 1 }]), /nothing was measured/);
    assert.throws(() => joined([{ value: 1, checked: 0 }]), /nothing was measured/);
  });
});

test("the longest wait is that of all rounds, and shown beside the median", () => {
  const round = { value: 2000, p50: 2000, checked: 1 };
  const figures = figuresOf([
    { ...round, longest: 9000, passedOver: 4 },
    { ...round, longest: 5000, passedOver: 7 },
  ]);
  assert.deepEqual([figures.longest, figures.passedOver], [9000, 7]);
  const result = { name: "n", call: "c", unit: "ns", better: "lower", rounds: 2, ratios: {} } as const;
  assert.match(tableOf({ ...result, contenders: { shmkit: figures } }), /9\.00 µs \(4\.50 ×\) +7 ×/);
});

describe("the figures in documents", () => {
  interface Gate {
    run(context: { root: string; fix: boolean }): { problems: string[] };
  }

  /** Every file that the gate reads. */
  function copyOfDocuments(): string {
    const copy = mkdtempSync(join(folder, "documents-"));
    for (const path of ["README.md", "docs/guide/benchmarks.md", "docs/guide/benchmarks", "benchmarks/results"])
      cpSync(join(ROOT, path), join(copy, path), { recursive: true });
    return copy;
  }

  test("a figure that was changed by hand is found, and put right", async () => {
    const path = join(ROOT, "scripts/checks/benchmark-figures.mjs");
    const { gate } = (await import(pathToFileURL(path).href)) as { gate: Gate };
    const root = copyOfDocuments();
    assert.deepEqual(gate.run({ root, fix: false }).problems, []);
    const plot = `docs/guide/benchmarks/${readdirSync(join(root, "docs/guide/benchmarks"))[0]}`;
    const places: [document: string, mark: string][] = [
      ["README.md", "<!-- headline: begin -->"],
      ["README.md", "<!-- benchmarks: begin -->"],
      ["docs/guide/benchmarks.md", "<!-- benchmarks: begin -->"],
      [plot, ""],
    ];
    for (const [document, mark] of places) {
      const right = readFileSync(join(root, document), "utf8");
      // Text before the figures may have numbers of its own.
      const from = right.indexOf(mark);
      const figure = /\b(\d)([\d.]* (?:ns|µs|ms|k\/s|M\/s|GB\/s|%))/;
      const planted = right.slice(from).replace(figure, (_, digit: string, rest: string) => {
        return `${(Number(digit) % 9) + 1}${rest}`;
      });
      const wrong = right.slice(0, from) + planted;
      assert.notEqual(wrong, right, document);
      writeFileSync(join(root, document), wrong);
      const { problems } = gate.run({ root, fix: false });
      assert.deepEqual(problems.length, 1);
      assert.ok(problems[0].startsWith(document), problems[0]);
      assert.equal(readFileSync(join(root, document), "utf8"), wrong);
      gate.run({ root, fix: true });
      assert.equal(readFileSync(join(root, document), "utf8"), right);
    }
  });

  test("they come from a run that is fit for comparison", () => {
    const path = join(ROOT, "benchmarks/results/linux-x64.json");
    const { quick, rounds, results } = JSON.parse(readFileSync(path, "utf8")) as Results;
    assert.equal(quick, false);
    assert.ok(rounds >= 5);
    // The guide names those that were added since.
    const measured = results.map(({ name }) => name);
    assert.ok(measured.includes("spin-round-trip") && measured.includes("mutex"));
    assert.deepEqual(
      measured,
      BENCHMARKS.map(({ name }) => name).filter((name) => measured.includes(name)),
    );
  });
});
