/** Tries mutations out, several at a time in processes of their own, and judges what came of them. */
import { fork, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { removeLeftovers, tokenOf } from "../helpers/leftovers.js";
import { Random } from "../helpers/process-random.js";
import type { Bound, Kill } from "./killers.js";
import { allSites, isWeakening, type Site } from "./sites.js";
import { endTestFile, runTestFiles, TEST_FILES, testFilesFor } from "./test-files.js";
import type { FromWorker, Survey, ToWorker, Trial } from "./worker-main.js";

type Kind = "machine" | "steps" | "tests";

/** What came of one mutation. */
export interface Verdict {
  readonly site: Site;
  /** Undefined when it survived. */
  readonly kill: Kill | undefined;
  /** Tests of the instruments that passed its place. */
  readonly passed: number;
  /** Time was up before everything had been tried. */
  readonly isOpen: boolean;
}

export interface CampaignOptions {
  readonly seconds: number;
  readonly seed: number;
  /** Mutations to try, by place or key. */
  readonly only?: RegExp;
  /** How many of the five stages, cheap ones first. */
  readonly stages?: number;
  /** Probes that look for them, by name. */
  readonly probes?: string;
  readonly signal?: AbortSignal;
  readonly onVerdict?: (verdict: Verdict) => void;
}

export interface Campaign {
  /** Mutations there are, and those that were tried. */
  readonly of: number;
  readonly verdicts: readonly Verdict[];
}

/** Nothing a probe does takes so long: a process that is silent for this time hangs. */
const SILENCE_MS = 60_000;
/** Loading the library, and compiling it before that, may take longer on a busy machine. */
const START_SILENCE_MS = 600_000;
/** A member that never ends fills the memory first. */
const HEAP_MIB = 600;

/** In order of cheapness: the first that fails ends the trial. */
const STAGES: readonly { readonly kind: Kind; readonly bound: Bound }[] = [
  { kind: "machine", bound: { schedules: 500, recoverySteps: 20, probes: 40 } },
  { kind: "steps", bound: { schedules: 500, recoverySteps: 20, probes: 40 } },
  { kind: "tests", bound: { schedules: 0, recoverySteps: 0, probes: 1000 } },
  { kind: "machine", bound: { schedules: 3000, recoverySteps: 2, probes: 1000 } },
  { kind: "steps", bound: { schedules: 3000, recoverySteps: 2, probes: 1000 } },
];

interface Answer {
  readonly kill: Kill | undefined;
  readonly passed: number;
}

/** Does one thing after the other. */
class Turns {
  private last: Promise<unknown> = Promise.resolve();

  take<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.last.then(act);
    this.last = turn.catch(() => undefined);
    return turn;
  }
}

/** A process that tries out one mutation at a time, and is replaced when one hangs. */
class Worker {
  private child: ChildProcess | undefined;
  private survey: Survey | null = null;
  private readonly turns = new Turns();

  constructor(
    private readonly kind: Kind,
    private readonly probes: string,
  ) {}

  /** Waits for its turn. */
  tryOut(trial: Trial): Promise<Answer> {
    return this.turns.take(() => this.run(trial));
  }

  private async run(trial: Trial): Promise<Answer> {
    if (this.child === undefined) await this.start();
    let probe = "";
    try {
      const answer = await this.ask(trial, (name) => (probe = name));
      return answer as Answer;
    } catch (error) {
      this.end();
      if (probe === "") throw error;
      return { kill: { by: probe, message: (error as Error).message }, passed: 1 };
    }
  }

  private async start(): Promise<void> {
    this.child = fork(fileURLToPath(new URL("worker-main.js", import.meta.url)), [this.kind, this.probes], {
      execArgv: [
        ...["--conditions=shmkit-instrumented", `--max-old-space-size=${HEAP_MIB}`],
        ...["--import", new URL("register.js", import.meta.url).href],
      ],
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      env: { ...process.env, SHMKIT_TEST_TOKEN: tokenOf(this.kind) },
    });
    await this.ask(undefined, () => undefined, START_SILENCE_MS);
    const answer = await this.ask({ survey: this.survey }, () => undefined, START_SILENCE_MS);
    if ("survey" in answer) this.survey = answer.survey;
  }

  /** The answer to a message, which may be announced by the probes that are at work. */
  private ask(
    message: ToWorker | undefined,
    onProbe: (name: string) => void,
    silenceMs = SILENCE_MS,
  ): Promise<FromWorker> {
    const child = this.child!;
    return new Promise((resolve, reject) => {
      let watchdog: NodeJS.Timeout | undefined;
      const settle = (act: () => void): void => {
        clearTimeout(watchdog);
        child.off("message", onMessage).off("exit", onExit);
        act();
      };
      const watch = (): void => {
        clearTimeout(watchdog);
        watchdog = setTimeout(() => {
          settle(() => reject(new Error("does not come to an end: the watchdog ended it")));
        }, silenceMs);
      };
      const onExit = (code: number | null, signal: string | null): void =>
        settle(() => reject(new Error(`the process ended by ${signal ?? `code ${code}`}`)));
      const onMessage = (answer: FromWorker): void => {
        watch();
        if ("probe" in answer) onProbe(answer.probe);
        else settle(() => resolve(answer));
      };
      child.on("message", onMessage).on("exit", onExit);
      watch();
      if (message !== undefined) child.send(message);
    });
  }

  end(): void {
    this.child?.kill("SIGKILL");
    this.child = undefined;
    removeLeftovers(tokenOf(this.kind));
  }
}

/** The test files, which take longest. */
class TestFiles {
  private readonly turns = new Turns();
  private readonly files: readonly string[];

  constructor(probes: string) {
    this.files = TEST_FILES.filter((file) => new RegExp(probes).test(file));
  }

  async tryOut({ key }: Trial): Promise<Answer> {
    // A barrier that is missing is none that this processor would tell us of.
    if (isWeakening(key)) return { kill: undefined, passed: 0 };
    const files = testFilesFor(key, this.files);
    return { kill: await this.turns.take(() => runTestFiles(files, key)), passed: files.length };
  }

  end(): void {
    endTestFile();
  }
}

/** Tries mutations in an order by chance, until none is left or time is up; what was begun then stays open. */
export async function campaign(options: CampaignOptions): Promise<Campaign> {
  const { seconds, seed, only, stages, probes = "", signal, onVerdict } = options;
  const end = performance.now() + seconds * 1000;
  const random = new Random(seed);
  const due = allSites().filter(({ key, place }) => only === undefined || only.test(place) || only.test(key));
  const of = due.length;
  const workers = {
    machine: new Worker("machine", probes),
    steps: new Worker("steps", probes),
    tests: new TestFiles(probes),
  };
  const verdicts: Verdict[] = [];
  const isOver = (): boolean => signal?.aborted === true || performance.now() > end;

  const tryOut = async (site: Site): Promise<void> => {
    let passed = 0;
    let kill: Kill | undefined;
    let isOpen = false;
    for (const { kind, bound } of STAGES.slice(0, stages)) {
      isOpen = isOver();
      if (isOpen) break;
      const answer = await workers[kind].tryOut({ key: site.key, bound });
      passed += answer.passed;
      ({ kill } = answer);
      if (kill !== undefined) break;
    }
    const verdict = { site, kill, passed, isOpen };
    verdicts.push(verdict);
    onVerdict?.(verdict);
  };
  const lane = async (): Promise<void> => {
    while (due.length > 0 && !isOver()) await tryOut(due.splice(random.below(due.length), 1)[0]);
  };
  const stop = (): void => {
    for (const worker of Object.values(workers)) worker.end();
  };
  signal?.addEventListener("abort", stop);
  try {
    // As many at a time as keep the processes busy.
    await Promise.all([lane(), lane(), lane(), lane()]);
  } finally {
    signal?.removeEventListener("abort", stop);
    stop();
  }
  return { of, verdicts };
}

/** Why mutations do no harm that anybody could see, by their keys. */
export type Equivalents = Readonly<Record<string, string>>;

export const EQUIVALENTS: Equivalents = JSON.parse(
  readFileSync(new URL("../../../test/mutations/equivalent.json", import.meta.url), "utf8"),
) as Equivalents;

export interface Judgement {
  readonly survived: readonly Verdict[];
  readonly argued: readonly Verdict[];
  readonly open: readonly Verdict[];
  /** Arguments for what is not there, or was killed. */
  readonly wrong: readonly string[];
}

/** Holds verdicts against the arguments. */
export function judge(verdicts: readonly Verdict[], equivalents: Equivalents = EQUIVALENTS): Judgement {
  const isArgued = ({ site }: Verdict): boolean => Object.hasOwn(equivalents, site.key);
  const alive = verdicts.filter(({ kill, isOpen }) => kill === undefined && !isOpen);
  const keys = new Set(allSites().map(({ key }) => key));
  return {
    survived: alive.filter((verdict) => !isArgued(verdict)),
    argued: alive.filter(isArgued),
    open: verdicts.filter(({ isOpen }) => isOpen),
    wrong: [
      ...Object.keys(equivalents)
        .filter((key) => !keys.has(key))
        .map((key) => `equivalent.json argues for a mutation that is not there: ${key}`),
      ...verdicts
        .filter((verdict) => verdict.kill !== undefined && isArgued(verdict))
        .map(({ site, kill }) => `equivalent.json argues for ${site.place}, which ${kill!.by} kills: ${kill!.message}`),
    ],
  };
}
