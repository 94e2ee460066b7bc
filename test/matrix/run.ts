/** Runs the checks of a runtime, and of pairs of runtimes. Everything is bounded, and ends what it started. */
import { loadavg } from "node:os";
import { type MemberOptions, ProcessMember } from "../helpers/driven-member.js";
import { leftovers, uniqueRegionName } from "../helpers/leftovers.js";
import { runFacts } from "../helpers/run-facts.js";
import { storm } from "../storm/storm.js";
import { crowd } from "./crowd.js";
import { exchangeAndKill } from "./pairs.js";
import { type CrowdResult, OK, type Outcome, type Results, type RuntimeResult } from "./results.js";
import type { Provided } from "./runtimes.js";
import { type Consumers, type Facts, SMOKE } from "./smoke.js";

/** Nothing takes so long, however busy the machine: what does hangs. */
const WATCHDOG_MS = 300_000;
/** A storm watches over each of its phases, and goes on until enough have died. */
const STORM_WATCHDOG_MS = 900_000;
const LATE = "not done after";
const STORM = { seconds: 3, fewestEnds: 30 } as const;
/** There, a process takes seconds to start. */
const EMULATED_STORM = { seconds: 15, fewestEnds: 4 } as const;
/** Jobs at a time: most of what they do is waiting for processes to start. */
const CONCURRENCY = 2;

export type Progress = (line: string) => void;

/** The value of `work`, unless it takes too long. What it started is still there then. */
async function within<T>(work: Promise<T>, longestMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${LATE} ${longestMs / 1000} s`)), longestMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Members of one job, which end with it. */
class Crew {
  private readonly members: Promise<ProcessMember>[] = [];

  start(provided: Provided, options: MemberOptions = {}): Promise<ProcessMember> {
    const member = ProcessMember.start({ ...options, runtime: provided.command });
    this.members.push(member);
    return member;
  }

  async end(): Promise<void> {
    for (const started of await Promise.allSettled(this.members))
      if (started.status === "fulfilled") await started.value.kill();
  }
}

async function outcomeOf(work: () => Promise<unknown>, longestMs = WATCHDOG_MS): Promise<Outcome> {
  try {
    await within(work(), longestMs);
    return OK;
  } catch (error) {
    const { message, there } = error as Error & { there?: string };
    return `${message}${there === undefined ? "" : `\n${there}`}`;
  }
}

async function smokeAndCrash(provided: Provided, consumers: Consumers, progress: Progress): Promise<RuntimeResult> {
  const { command, advised, version, runtime } = provided;
  const { name, title } = runtime;
  const { runsTypeScript } = runtime;
  const place = { command, advised, version, arch: runtime.isEmulated ? "arm64" : "x64", runsTypeScript };
  const checks: Record<string, Outcome> = {};
  let facts: Facts = {};
  const crew = new Crew();
  const start = (options?: MemberOptions): Promise<ProcessMember> => crew.start(provided, options);
  const note = (check: string, outcome: Outcome, startedAt: number): void => {
    checks[check] = outcome;
    progress(`${title}: ${check}: ${outcome} (${((Date.now() - startedAt) / 1000).toFixed(1)} s)`);
  };
  const region = uniqueRegionName(name);
  try {
    const a = await start({ region });
    const b = await start({ region });
    let isStuck = false;
    for (const [check, run] of Object.entries(SMOKE)) {
      const startedAt = Date.now();
      if (isStuck) {
        checks[check] = "not begun: its members are stuck";
        continue;
      }
      const outcome = await outcomeOf(async () => {
        facts = { ...facts, ...(await run({ ...place, consumers, region, a, b, start })) };
      });
      note(check, outcome, startedAt);
      isStuck = outcome.startsWith(LATE);
    }
  } catch (error) {
    checks["members start"] = (error as Error).message;
  } finally {
    await crew.end();
  }
  const startedAt = Date.now();
  const crash = await outcomeOf(async () => {
    const { isEmulated } = runtime;
    const extent = isEmulated ? EMULATED_STORM : STORM;
    const { violations, kills } = await storm({ ...extent, seed: 1, runtime: command, isEmulated });
    facts = { ...facts, kills };
    if (violations.length > 0) throw new Error(violations.join("\n"));
  }, STORM_WATCHDOG_MS);
  note("a storm of kills", crash, startedAt);
  return { name, title, version, ...facts, checks };
}

async function pairsOf(
  staying: Provided,
  all: readonly Provided[],
  progress: Progress,
): Promise<Record<string, Outcome>> {
  const outcomes: Record<string, Outcome> = {};
  for (const killed of all) {
    const startedAt = Date.now();
    const [from, to] = [staying.runtime, killed.runtime];
    const crew = new Crew();
    outcomes[to.name] = await outcomeOf(async () => {
      const region = uniqueRegionName(`${from.name}-${to.name}`);
      const [a, b] = await Promise.all([
        crew.start(staying, { region, options: { label: from.title } }),
        crew.start(killed, { region, options: { label: to.title } }),
      ]);
      await exchangeAndKill(a, b, to.title);
      await a.run(({ region: own }) => own.close());
      const left = leftovers().filter((name) => name.includes(region));
      if (left.length > 0) throw new Error(`left behind: ${left.join(", ")}`);
    });
    await crew.end();
    const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
    progress(`${from.title} and ${to.title}, which is killed: ${outcomes[to.name]} (${seconds} s)`);
  }
  return outcomes;
}

async function crowdOf(kinds: readonly Provided[], progress: Progress): Promise<CrowdResult> {
  const startedAt = Date.now();
  const crew = new Crew();
  let facts = {};
  const outcome = await outcomeOf(async () => {
    facts = await crowd(kinds.map((kind) => (region, label) => crew.start(kind, { region, options: { label } })));
  });
  await crew.end();
  progress(`all at once, and one of each is killed: ${outcome} (${((Date.now() - startedAt) / 1000).toFixed(1)} s)`);
  return { outcome, ...facts };
}

/**
 * Runs everything, some jobs at a time; `consumers` are programs in a project that has the package, `windows` the runs of
 * Windows' runtimes.
 */
export async function runMatrix(
  all: readonly Provided[],
  consumers: Consumers,
  progress: Progress,
  windows: readonly (() => Promise<RuntimeResult>)[] = [],
): Promise<Results> {
  const startedAt = new Date();
  const facts = runFacts();
  const loadAverage = loadavg().map((value) => Number(value.toFixed(2)));
  const runtimes = new Map<string, RuntimeResult>();
  const pairs: Record<string, Record<string, Outcome>> = {};
  const jobs = all.flatMap((provided) => [
    async () => void runtimes.set(provided.runtime.name, await smokeAndCrash(provided, consumers, progress)),
    async () => void (pairs[provided.runtime.name] = await pairsOf(provided, all, progress)),
  ]);
  let together: CrowdResult | undefined;
  // An emulated one would hold up all others.
  const kinds = all.filter(({ runtime }) => !runtime.isEmulated);
  if (kinds.length > 0) jobs.push(async () => void (together = await crowdOf(kinds, progress)));
  const onWindows: RuntimeResult[] = [];
  for (const [at, run] of windows.entries()) jobs.push(async () => void (onWindows[at] = await run()));
  // The emulated ones take longest: first, so that nobody waits for them in the end.
  jobs.reverse();
  const work = async (): Promise<void> => {
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) await job();
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  return {
    startedAt: startedAt.toISOString(),
    seconds: Math.round((Date.now() - startedAt.getTime()) / 1000),
    ...facts,
    loadAverage,
    runtimes: all.map(({ runtime }) => runtimes.get(runtime.name)!),
    pairs: Object.fromEntries(all.map(({ runtime }) => [runtime.name, pairs[runtime.name]])),
    ...(together && { crowd: together }),
    ...(onWindows.length > 0 && { windows: onWindows }),
  };
}
