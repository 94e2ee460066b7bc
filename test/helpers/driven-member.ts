import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { RegionOptions } from "shmkit";
import type { Beginning, FromMember, Scope, ToMember } from "../fixtures/member-main.js";
import { leftovers } from "./leftovers.js";
import { packed, unpacked } from "./wire.js";

const MAIN = fileURLToPath(new URL("../fixtures/member-main.js", import.meta.url));

/** How a member is started. */
export interface MemberOptions {
  /** Name of a region to open (or make) at once. */
  readonly region?: string;
  readonly options?: RegionOptions;
  /** Command to start the process through, such as unshare. */
  readonly through?: readonly string[];
  /** Command that runs a program in another runtime; this Node if not given. */
  readonly runtime?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Handed over: the process has them from 4 on. */
  readonly descriptors?: readonly number[];
}

/** How a member ended, and what it wrote to its standard streams. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

/** A script: its text travels, so that it sees its arguments and nothing else of the module it stands in. */
export type Script<A, R> = (scope: Scope, argument: A) => R | Promise<R>;

/** The thread that runs the scripts: a process or a worker of this one. */
interface Thread {
  readonly pid: number;
  readonly ended: Promise<Ending>;
  send(message: ToMember): void;
  kill(): void;
}

type Listener = (message: FromMember) => void;

function startProcess(options: MemberOptions, beginning: Beginning, listen: Listener): Thread {
  const isForeign = options.runtime !== undefined;
  const runtime = options.runtime ?? [process.execPath];
  const command = [...(options.through ?? []), ...runtime, MAIN, JSON.stringify(beginning)];
  const child: ChildProcess = spawn(command[0], command.slice(1), {
    stdio: ["ignore", "pipe", "pipe", "ipc", ...(options.descriptors ?? [])],
    serialization: isForeign ? "json" : "advanced",
    env: { ...process.env, ...options.environment },
  });
  let output = "";
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  }
  child.on("message", (message) => listen((isForeign ? unpacked(message as string) : message) as FromMember));
  const ended = new Promise<Ending>((resolve) => {
    child.on("error", (error) => resolve({ code: null, signal: null, output: `${output}${error.message}` }));
    child.on("close", (code, signal) => resolve({ code, signal, output }));
  });
  return {
    pid: child.pid ?? 0,
    ended,
    // A process that has just died has closed its end: its ending says why.
    send: (message) => void child.send(isForeign ? packed(message) : message, () => undefined),
    kill: () => void child.kill("SIGKILL"),
  };
}

function startWorker(beginning: Beginning, listen: Listener): Thread {
  const worker = new Worker(MAIN, { workerData: beginning });
  let output = "";
  worker.on("message", (message: FromMember) => listen(message));
  worker.on("error", (error) => (output += error.message));
  const ended = new Promise<Ending>((resolve) => worker.on("exit", (code) => resolve({ code, signal: null, output })));
  return {
    pid: process.pid,
    ended,
    send: (message) => worker.postMessage(message),
    kill: () => void worker.terminate(),
  };
}

interface Call {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** A member that is driven from outside. Test files start them by process-member.ts, which ends them whatever happened. */
export class ProcessMember {
  private readonly calls = new Map<number, Call>();
  private readonly said: unknown[] = [];
  private readonly listeners: Call[] = [];
  private lastCall = 0;
  private gone: Ending | undefined;
  private readonly thread: Thread;
  /** Resolves when the process or worker has ended. */
  readonly ended: Promise<Ending>;

  private constructor(start: (listen: Listener) => Thread) {
    this.thread = start((message) => this.hear(message));
    this.ended = this.thread.ended;
    started.add(this);
    void this.ended.then((ending) => this.mourn(ending));
  }

  /** Starts a process. Resolves when it is ready; rejects when it cannot open its region, or ends. */
  static async start(options: MemberOptions = {}): Promise<ProcessMember> {
    const beginning = { region: options.region, options: options.options, packed: options.runtime !== undefined };
    return ProcessMember.ready(new ProcessMember((listen) => startProcess(options, beginning, listen)));
  }

  /** Starts a worker thread of this process. */
  static async startWorker(options: Pick<MemberOptions, "region" | "options"> = {}): Promise<ProcessMember> {
    const beginning = { region: options.region, options: options.options, packed: false };
    return ProcessMember.ready(new ProcessMember((listen) => startWorker(beginning, listen)));
  }

  private static async ready(member: ProcessMember): Promise<ProcessMember> {
    await member.answer(0);
    return member;
  }

  get pid(): number {
    return this.thread.pid;
  }

  /** Runs a script there and answers what it returns. Rejects with what it throws, or when the member ends first. */
  run<R>(script: Script<undefined, R>): Promise<R>;
  run<A, R>(script: Script<A, R>, argument: A): Promise<R>;
  run<A, R>(script: Script<A, R>, argument?: A): Promise<R> {
    const id = ++this.lastCall;
    const answer = this.answer(id) as Promise<R>;
    // A call that nobody waits for when the member is killed on purpose is no unhandled rejection.
    answer.catch(() => undefined);
    if (this.gone === undefined) this.thread.send({ id, source: script.toString(), argument });
    return answer;
  }

  /** What the member says next. Rejects when it has ended. */
  next(): Promise<unknown> {
    if (this.said.length > 0) return Promise.resolve(this.said.shift());
    return new Promise((resolve, reject) => {
      if (this.gone !== undefined) reject(endedError(this.gone));
      else this.listeners.push({ resolve, reject });
    });
  }

  /** SIGKILL, or the termination of the worker. */
  async kill(): Promise<Ending> {
    this.thread.kill();
    return this.ended;
  }

  /** Lets the event loop run dry: the natural end of a program that closes nothing. */
  async finish(): Promise<Ending> {
    this.thread.send({ end: true });
    return this.ended;
  }

  /** SIGSTOP; resolves when the kernel has stopped every thread. */
  async stop(): Promise<void> {
    process.kill(this.pid, "SIGSTOP");
    while (!isStopped(this.pid)) await sleep(1);
  }

  /** SIGCONT. */
  continue(): void {
    process.kill(this.pid, "SIGCONT");
  }

  private answer(id: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.gone !== undefined) reject(endedError(this.gone));
      else this.calls.set(id, { resolve, reject });
    });
  }

  private hear(message: FromMember): void {
    if ("said" in message) {
      const listener = this.listeners.shift();
      if (listener === undefined) this.said.push(message.said);
      else listener.resolve(message.said);
      return;
    }
    const call = this.calls.get(message.id);
    this.calls.delete(message.id);
    if ("value" in message) {
      call?.resolve(message.value);
      return;
    }
    const { message: text, stack, facts } = message.error;
    call?.reject(Object.assign(new Error(text), facts, { there: stack }));
  }

  private mourn(ending: Ending): void {
    this.gone = ending;
    started.delete(this);
    for (const call of [...this.calls.values(), ...this.listeners]) call.reject(endedError(ending));
    this.calls.clear();
    this.listeners.length = 0;
  }
}

const started = new Set<ProcessMember>();

function endedError({ code, signal, output }: Ending): Error {
  const how = signal ?? (code === null ? "without a code" : `code ${code}`);
  return Object.assign(new Error(`the member has ended (${how})\n${output}`), { code: "ENDED", signal });
}

/** State letter of a process, or of a thread by its path in /proc, as in ps: T when stopped. */
export function processState(pid: number | string): string {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3);
}

/** Whether the kernel has stopped every thread of a process. */
const isStopped = (pid: number): boolean =>
  readdirSync(`/proc/${pid}/task`).every((thread) => processState(`${pid}/task/${thread}`) === "T");

/** Resolves once `condition` holds. Never gives up: the watchdog of the test file does. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(2);
}

/** Ends every member that still runs. */
export async function endMembers(): Promise<void> {
  await Promise.all([...started].map((member) => member.kill()));
}

/** Takes away the names that the file left in shared memory, and answers them. */
export function takeLeftovers(): string[] {
  const names = leftovers();
  for (const name of names) rmSync(`/dev/shm/${name}`, { force: true, recursive: true });
  return names;
}
