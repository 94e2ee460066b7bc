import { availableParallelism, cpus } from "node:os";
import { formatBytes } from "../../base/sizes.js";
import {
  measureRoundTrip,
  measureThroughput,
  type Manner,
  type RoundTrip,
  type Throughput,
} from "../bench/measurements.js";
import type { Command, Invocation } from "../command.js";
import { Children } from "../demo/children.js";
import { durationMs, formatDuration } from "../durations.js";
import { usageError } from "../exit-codes.js";
import { formatCount, formatMicroseconds, table } from "../figures.js";
import { toJson } from "../json.js";

const MANNERS: readonly Manner[] = ["blocking", "async"];
const ROUND_TRIP_BYTES = 64;
const SIZES: readonly number[] = [64, 4096, 256 * 1024];
const PARTS = MANNERS.length + SIZES.length;

export const command: Command = {
  name: "bench",
  summary: "measure round trip and throughput between two processes on this machine",
  usage: ["[--time TIME] [--json]"],
  about: `Sends messages to another process and back, by calls that block (and spin first) and by calls that wait on the event loop;
then sends messages of three sizes one way, as fast as they are taken. Both processes need a core of their own for figures
that mean something: the benchmarks of the package (npm run bench in a checkout) tell more, beside other ways to do it.`,
  options: {
    time: { type: "string", short: "t", value: "TIME", about: "time for all measurements together (default 1m)" },
    json: { type: "boolean", short: "j", about: "as JSON" },
  },
  exitCodes: [1, 5, 141],
  completes: [],
  arguments: [0, 0],
  run: bench,
};

async function bench({ terminal, signal, ...given }: Invocation): Promise<void> {
  const timeMs = durationMs(given.text("time") ?? "1m", "--time");
  if (timeMs < 100) throw usageError("--time must be at least 100ms");
  const eachMs = timeMs / PARTS;
  const children = new Children(signal);
  const roundTrips: RoundTrip[] = [];
  const throughputs: Throughput[] = [];
  const status = (what: string): void =>
    terminal.status(`measuring ${what}, ${roundTrips.length + throughputs.length + 1} of ${PARTS}`);
  try {
    for (const manner of MANNERS) {
      status(`round trips, ${manner}`);
      roundTrips.push(await measureRoundTrip(children, manner, ROUND_TRIP_BYTES, eachMs, signal));
    }
    for (const size of SIZES) {
      status(`throughput, ${formatBytes(size)}`);
      throughputs.push(await measureThroughput(children, size, eachMs, signal));
    }
  } finally {
    await children.end();
    terminal.clearStatus();
  }
  const machine = { cpu: cpus()[0]?.model ?? "unknown", cores: availableParallelism(), node: process.version };
  if (given.flag("json")) {
    await terminal.line(toJson({ machine, roundTrips, throughputs }, 2));
    return;
  }
  const { bold, dim } = terminal.colours;
  const shown = (rows: readonly (readonly string[])[], right: readonly number[]): string =>
    table(rows, right)
      .map((line, at) => (at === 0 ? dim(line) : line))
      .join("\n");
  await terminal.line(`${machine.cpu}, ${machine.cores} cores, Node ${machine.node}; ${formatDuration(eachMs)} each`);
  await terminal.line(`\n${bold("Round trip")} of ${ROUND_TRIP_BYTES} bytes`);
  await terminal.line(
    shown(
      [
        ["  waiting", "median", "99th percentile", "fastest", "rounds"],
        ...roundTrips.map(({ manner, medianUs, p99Us, fastestUs, rounds }) => [
          `  ${manner}`,
          ...[medianUs, p99Us, fastestUs].map(formatMicroseconds),
          formatCount(rounds),
        ]),
      ],
      [1, 2, 3, 4],
    ),
  );
  await terminal.line(`\n${bold("Throughput")}, one way`);
  await terminal.line(
    shown(
      [
        ["  message", "messages/s", "bytes/s"],
        ...throughputs.map(({ messageBytes, messagesPerSecond, bytesPerSecond }) => [
          `  ${formatBytes(messageBytes)}`,
          formatCount(messagesPerSecond),
          formatBytes(bytesPerSecond),
        ]),
      ],
      [1, 2],
    ),
  );
}
