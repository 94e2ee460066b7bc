import { join } from "node:path";
import type { Program } from "./processes.js";
import type { Unit } from "./results.js";

/** Where and how long a contender runs. */
export interface Site {
  /** Folder of the compiled benchmarks. */
  readonly folder: string;
  /** The C program. */
  readonly c: string;
  /** Cores of the processes, one after the other; none when they are not bound. */
  readonly cores: readonly number[];
  /** A name that no other run uses. */
  readonly name: string;
  /** A folder of this run's own. */
  readonly scratch: string;
  readonly warmMs: number;
  readonly measureMs: number;
}

export interface Contender {
  readonly name: string;
  programs(benchmark: string, site: Site): Program[];
}

export interface Benchmark {
  readonly name: string;
  readonly call: string;
  readonly unit: Unit;
  readonly better: "lower" | "higher";
  readonly contenders: readonly Contender[];
}

function coreOf(site: Site, side: number): number[] {
  const core = site.cores[side % site.cores.length];
  return core === undefined ? [] : [core];
}

/** The last arguments of every program: times, and the cores of two sides. */
function tail(site: Site): string[] {
  const cores = [0, 1].map((side) => coreOf(site, side)[0] ?? -1);
  return [site.warmMs, site.measureMs, ...cores].map(String);
}

/** A TypeScript program with a process for each role, on cores of their own. */
function sides(name: string, file: string, roles: readonly string[]): Contender {
  return {
    name,
    programs: (benchmark, site) =>
      roles.map((role, side) => ({
        command: [
          process.execPath,
          join(site.folder, "contenders", file),
          benchmark,
          role,
          site.name,
          site.scratch,
          ...tail(site),
        ],
        cores: coreOf(site, side),
      })),
  };
}

const shmkit = (...roles: string[]): Contender => sides("shmkit", "shmkit.js", roles);
const unixSocket = (...roles: string[]): Contender => sides("unix-socket", "unix-socket.js", roles);
/** Starts its second side itself. */
const processSend = (serialization: "json" | "advanced"): Contender =>
  sides(`process.send-${serialization}`, "process-send.js", [serialization]);

/** A part of the C program, which starts its second side itself. */
function c(name: string, ...words: string[]): Contender {
  return {
    name,
    programs: (_, site) => [{ command: [site.c, ...words, ...tail(site)], cores: coreOf(site, 0) }],
  };
}

export const BENCHMARKS: readonly Benchmark[] = [
  {
    name: "spin-round-trip",
    call: "sendBytesSync/receiveIntoSync",
    unit: "ns",
    better: "lower",
    contenders: [
      shmkit("ping", "pong"),
      c("c-limit", "spin"),
      unixSocket("ping", "pong"),
      processSend("json"),
      processSend("advanced"),
    ],
  },
  {
    name: "spsc-64B",
    call: "sendBytesSync/receiveIntoSync",
    unit: "messages/s",
    better: "higher",
    contenders: [
      shmkit("sender", "receiver"),
      c("c-limit", "ring"),
      unixSocket("sender", "receiver"),
      processSend("advanced"),
    ],
  },
  {
    name: "object",
    call: "sendSync/receiveSync",
    unit: "messages/s",
    better: "higher",
    contenders: [
      shmkit("sender", "receiver"),
      unixSocket("sender", "receiver"),
      processSend("json"),
      processSend("advanced"),
    ],
  },
  {
    name: "mutex",
    call: "lockSync/release",
    unit: "ns",
    better: "lower",
    contenders: [shmkit("alone"), c("c-limit", "mutex")],
  },
];
