/** Runs cases one after the other in a process of their own, and says of each what it came to, a crash and a hang included. */
import { type ChildProcess, fork } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { leftovers } from "../helpers/leftovers.js";
import { removeSystemObjects } from "./system-scene.js";
import type { CaseReport } from "./victim-main.js";

/** What a campaign is about: the program that runs its cases, and what that leaves when it is killed over one. */
export interface Subject {
  readonly main: string;
  readonly removeLeft: (pid: number) => void;
}

/** Damaged regions and hostile messages. */
export const REGIONS: Subject = {
  main: "victim-main.js",
  removeLeft: (pid) => {
    for (const name of leftovers()) if (name.includes(`-${pid}-`)) rmSync(`/dev/shm/${name}`, { force: true });
  },
};
/** Sequences of calls of the system's own mechanisms, and of what is mapped as it is. */
export const SYSTEM: Subject = { main: "system-victim-main.js", removeLeft: removeSystemObjects };

/** A case takes a fraction of a second; whoever is still at it after this hangs. */
const WATCHDOG_MS = 60_000;
/** After so many a new process begins, so that what one keeps cannot add up. */
const CASES_PER_VICTIM = 100;

/** A fault: what happened, and the seed that shows it again. */
export interface Fault {
  readonly seed: number;
  readonly what: string;
  readonly hits: readonly string[];
}

/** What a campaign came to. */
export interface FuzzReport {
  readonly seed: number;
  cases: number;
  calls: number;
  readonly endings: Record<string, number>;
  readonly structures: Record<string, number>;
  readonly faults: Fault[];
}

/** A process that runs cases. */
export class Victim {
  readonly process: ChildProcess;
  cases = 0;
  private output = "";

  constructor(private readonly subject: Subject = REGIONS) {
    this.process = fork(fileURLToPath(new URL(subject.main, import.meta.url)), {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      serialization: "advanced",
    });
    for (const stream of [this.process.stdout!, this.process.stderr!])
      stream.setEncoding("utf8").on("data", (text: string) => (this.output += text));
  }

  /** Runs a case; rejects when the process ends over it. */
  run(seed: number): Promise<CaseReport> {
    this.cases++;
    this.output = "";
    return new Promise((resolve, reject) => {
      let hangs = false;
      const watchdog = setTimeout(() => {
        hangs = true;
        this.process.kill("SIGKILL");
      }, WATCHDOG_MS);
      const done = (): void => {
        clearTimeout(watchdog);
        this.process.removeAllListeners("message").removeAllListeners("close");
      };
      this.process.on("message", (report: CaseReport) => {
        done();
        resolve(report);
      });
      this.process.on("close", (code, signal) => {
        done();
        const how = hangs ? "it hangs" : `the process ended (${signal ?? code})`;
        reject(new Error(`${how}\n${this.output}`));
      });
      this.process.send({ seed });
    });
  }

  /** Lets it end by itself. @throws when it ends in another way */
  async leave(): Promise<void> {
    const watchdog = setTimeout(() => this.process.kill("SIGKILL"), WATCHDOG_MS);
    const ended = new Promise<[number | null, string | null]>((resolve) =>
      this.process.on("exit", (code, signal) => resolve([code, signal])),
    );
    this.process.disconnect();
    const [code, signal] = await ended;
    clearTimeout(watchdog);
    if (code !== 0) throw new Error(`the process ended (${signal ?? code}) when it was to leave\n${this.output}`);
  }

  /** Ends it, and takes away what it was killed over. */
  async end(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const ended = new Promise((resolve) => this.process.on("exit", resolve));
      this.process.kill("SIGKILL");
      await ended;
    }
    this.subject.removeLeft(this.process.pid!);
  }
}

/** Runs the cases from a seed on, until `goesOn` says no. */
export async function runCampaign(
  seed: number,
  goesOn: (report: FuzzReport) => boolean,
  signal?: AbortSignal,
  subject: Subject = REGIONS,
): Promise<FuzzReport> {
  const report: FuzzReport = { seed, cases: 0, calls: 0, endings: {}, structures: {}, faults: [] };
  let victim = new Victim(subject);
  const isAborted = (): boolean => signal?.aborted === true;
  const stop = (): void => void victim.process.kill("SIGKILL");
  signal?.addEventListener("abort", stop);
  try {
    for (; goesOn(report) && !isAborted(); report.cases++) {
      const caseSeed = seed + report.cases;
      try {
        if (victim.cases >= CASES_PER_VICTIM) {
          await victim.leave();
          await victim.end();
          victim = new Victim(subject);
        }
        include(report, await victim.run(caseSeed));
      } catch (error) {
        if (isAborted()) break;
        report.faults.push({ seed: caseSeed, what: (error as Error).message, hits: [] });
        await victim.end();
        victim = new Victim(subject);
      }
    }
    if (!isAborted())
      await victim.leave().catch((error: unknown) => {
        report.faults.push({ seed: seed + report.cases - 1, what: (error as Error).message, hits: [] });
      });
  } finally {
    signal?.removeEventListener("abort", stop);
    await victim.end();
  }
  return report;
}

function include(report: FuzzReport, { seed, findings, structures, hits }: CaseReport): void {
  report.calls += findings.calls;
  for (const [ending, count] of Object.entries(findings.endings))
    report.endings[ending] = (report.endings[ending] ?? 0) + count;
  for (const [struct, count] of Object.entries(structures))
    report.structures[struct] = (report.structures[struct] ?? 0) + count;
  for (const what of findings.faults) report.faults.push({ seed, what, hits });
}
