import { setTimeout as sleep } from "node:timers/promises";
import { ShmkitError, type MutexGuard, type Region, type RwLockGuard, type WaitOptions } from "#shmkit";
import { objectAddress } from "../address.js";
import { printable } from "../colours.js";
import type { Command, Invocation } from "../command.js";
import { errorJson, errorLine, usageError } from "../exit-codes.js";
import { holdersOf, partyName } from "../holders.js";
import { isTimeout, Patience } from "../patience.js";
import { joinRegion } from "../regions.js";
import { runProgram } from "../run-program.js";
import { glance, timeoutOf } from "../timeouts.js";

export const command: Command = {
  name: "lock",
  summary: "run a program while holding a lock",
  usage: ["[OPTIONS] REGION/NAME [--] PROGRAM [ARGUMENT...]"],
  about: `Waits for the lock NAME of REGION, runs the program, and releases the lock when the program has ended; the exit code is
the program's, or 128 and the number of the signal that ended it. As flock(1), but between everybody who uses that lock,
programs of this library included. NAME may be a mutex or a readers-writer lock; if it does not exist, it is made as a
readers-writer lock, in a region that goes with its last user. Options of shmkit stand in front of the program: from that on
everything is the program's, with and without --. SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGUSR1 and SIGUSR2 are passed
on to the program, unless a terminal sent them to both, and the lock is held until it has ended. If another signal ends shmkit
itself, as SIGKILL does, the lock is free at once, although the program may go on. The program finds
SHMKIT_ABANDONED=1 in its environment when the last owner died while it had the lock.`,
  options: {
    shared: { type: "boolean", short: "s", about: "together with others that lock it shared; not of a mutex" },
    timeout: {
      type: "string",
      short: "t",
      value: "TIME",
      about: "give up when it is not free by then (500ms, 5s, 2m)",
    },
    "no-wait": { type: "boolean", short: "n", about: "give up when it is not free now" },
    "conflict-exit-code": {
      type: "string",
      short: "E",
      value: "CODE",
      about: "exit code when --timeout or --no-wait gave up, 0 to 255; by default 3",
    },
    json: { type: "boolean", short: "j", about: "errors of shmkit as JSON, on standard error" },
  },
  exitCodes: [1, 3, 4, 5, 126, 127],
  examples: [
    "shmkit lock build/cache make -j4",
    "shmkit lock --shared build/cache -- tar -cf cache.tar cache",
    "shmkit lock --no-wait --conflict-exit-code 0 jobs/nightly -- ./nightly.sh",
  ],
  completes: "addresses",
  arguments: [2, Number.POSITIVE_INFINITY],
  programAt: 1,
  run: lock,
};

/** As many as a region can have: each run of this command is one, waiting ones as well. */
const MAX_MEMBERS = 256;
/** Between two tries to join a region that is full. */
const JOIN_AGAIN_MS = 100;

async function lock(invocation: Invocation): Promise<number> {
  const [address, program, ...args] = invocation.positionals;
  objectAddress(address);
  const conflictCode = conflictCodeOf(invocation.text("conflict-exit-code"));
  if (invocation.flag("no-wait") && invocation.text("timeout") !== undefined)
    throw usageError("--no-wait and --timeout exclude each other");
  const tell = (error: unknown): void =>
    invocation.terminal.error((invocation.flag("json") ? errorJson : errorLine)(error));
  let held: Held;
  try {
    held = await take(address, invocation);
  } catch (error) {
    if (conflictCode === undefined || !isTimeout(error)) throw error;
    tell(error);
    return conflictCode;
  }
  const { region, guard } = held;
  let code: number;
  try {
    code = await runProgram(program, args, guard.abandoned ? { SHMKIT_ABANDONED: "1" } : {});
  } catch (error) {
    // Nobody has seen to what the last owner left: the next one is told as well, since leaving with it is dying with it.
    if (!guard.abandoned) guard.release();
    await region.close();
    throw error;
  }
  try {
    guard.release();
    await region.close();
  } catch (error) {
    // It has run, however the region ended meanwhile.
    tell(error);
  }
  return code;
}

type Guard = MutexGuard | RwLockGuard;

interface Held {
  readonly region: Region;
  readonly guard: Guard;
}

/** Joins the region and takes the lock. @throws ERR_TIMEOUT when --timeout or --no-wait gave up */
async function take(address: string, invocation: Invocation): Promise<Held> {
  const { signal } = invocation;
  const { region: regionName, name } = objectAddress(address);
  const patience = Patience.of(invocation.flag("no-wait") ? "0" : invocation.text("timeout"), signal);
  const region = await joining(regionName, name, patience, signal);
  try {
    const lockIt = await taking(region, name, invocation.flag("shared"), signal);
    return { region, guard: await lockIt(patience.options()) };
  } catch (error) {
    const owner = isTimeout(error) ? ownerOf(regionName, name) : undefined;
    await region.close();
    throw isTimeout(error) ? timeoutOf(`${address} was not free${patience.within}`, owner) : error;
  }
}

/** A member of the region, which is made if need be; waits for a place in one that is full. */
async function joining(regionName: string, name: string, patience: Patience, signal: AbortSignal): Promise<Region> {
  // Not with the deadline: joining takes a moment even where nobody is to be waited for.
  const unhurried = Patience.of(undefined, signal);
  for (;;) {
    try {
      return await joinRegion(regionName, { label: `shmkit lock ${name}`, maxMembers: MAX_MEMBERS }, unhurried);
    } catch (error) {
      if (!(error instanceof ShmkitError) || error.code !== "ERR_TOO_MANY_MEMBERS") throw error;
      if (patience.leftMs <= 0)
        throw timeoutOf(`no place was free${patience.within} among the members of ${regionName}`, undefined);
    }
    await sleep(Math.min(JOIN_AGAIN_MS, patience.leftMs), undefined, { signal });
  }
}

/** Who has it now, for people; undefined if nobody has any more. */
function ownerOf(regionName: string, name: string): string | undefined {
  const region = glance(regionName);
  const object = region?.objects.find((one) => one.name === name);
  const holders = object === undefined ? [] : (holdersOf(object)?.holders ?? []);
  if (region === undefined || holders.length === 0) return undefined;
  const more = holders.length > 1 ? ` and ${holders.length - 1} more` : "";
  return `${printable(partyName(region, holders[0]))}${more}`;
}

/** How the lock of that name is taken: a mutex if it is one, and a readers-writer lock otherwise, made if need be. */
async function taking(
  region: Region,
  name: string,
  shared: boolean,
  signal: AbortSignal,
): Promise<(options: WaitOptions) => Promise<Guard>> {
  if (!shared && region.mutexes.list().includes(name)) {
    const mutex = await region.mutexes.open(name, { signal });
    return (options) => mutex.lock(options);
  }
  const lock = await region.rwlock(name, { signal });
  return (options) => (shared ? lock.lockShared(options) : lock.lock(options));
}

function conflictCodeOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,3}$/.test(text) || Number(text) > 255)
    throw usageError(`--conflict-exit-code must be a number from 0 to 255, not ${JSON.stringify(text)}`);
  return Number(text);
}
