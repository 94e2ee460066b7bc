import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { formatBytes } from "../../base/sizes.js";
import type { Command, Invocation } from "../command.js";
import { Children } from "../demo/children.js";
import { SILENT, type Screen } from "../demo/screen.js";
import { measure as measureLatency, type Latency } from "../demo/share.js";
import { measure as measureSpeed, MESSAGE_BYTES, type MessageKind, type Transport } from "../demo/speed.js";
import { changed, listFiles, type FileList } from "../demo/text-files.js";
import { countAlone, Work, type WorkResult } from "../demo/work.js";
import { differences, total } from "../demo/word-tally.js";
import { CommandError, usageError } from "../exit-codes.js";
import { formatCount, formatMicroseconds, table } from "../figures.js";
import { toJson } from "../json.js";

const SPEED_MS = { full: 2000, quick: 150 } as const;
const ROUNDS = { full: { spinning: 2000, sleeping: 300 }, quick: { spinning: 200, sleeping: 20 } } as const;
const LIMIT_MIB = { usual: 256, most: 16_384 } as const;
const PARTS: readonly string[] = ["speed", "work", "share"];
const TRANSPORTS: readonly Transport[] = ["shmkit", "Unix socket", "process.send"];
const KINDS: readonly MessageKind[] = ["object", "bytes"];

interface SpeedFigure {
  readonly transport: Transport;
  readonly message: MessageKind;
  readonly messagesPerSecond: number;
}

/** Of a count that was verified. */
interface WorkFigures extends Pick<WorkResult, "batches" | "redelivered" | "repeated" | "killed" | "seconds"> {
  readonly files: number;
  readonly bytes: number;
  readonly words: number;
  readonly differentWords: number;
  /** How long one process alone took to count the same. */
  readonly aloneSeconds: number;
}

export const command: Command = {
  name: "demo",
  summary: "show in half a minute what it does, on real input, and verify the result",
  usage: ["[PATH...]"],
  about: `1. Speed: messages per second between two processes, beside a Unix socket and process.send.
2. Work: one process reads text, two tally its words under lease, one of those is killed with SIGKILL; the result must be
   what a single process counts. Text are the files given, and the .md, .ts and .js files below the folders given
   (default: below this package, dependencies included).
3. Share: how soon a counter raised in one process is seen in another.
4. What is left in /dev/shm: nothing, checked.`,
  options: {
    quick: { type: "boolean", short: "q", about: "shorter measurements" },
    only: { type: "string", short: "o", value: "PART", about: "only this part: speed, work or share" },
    "limit-mib": {
      type: "string",
      value: "N",
      about: `leave files out beyond N MiB of text (default ${LIMIT_MIB.usual})`,
    },
    json: { type: "boolean", short: "j", about: "only the figures, as JSON" },
  },
  exitCodes: [1, 4, 5, 141],
  arguments: [0, Number.POSITIVE_INFINITY],
  run: demo,
};

async function demo({ positionals, signal, terminal, ...given }: Invocation): Promise<void> {
  const quick = given.flag("quick");
  const parts = partsOf(given.text("only"));
  const paths = positionals.length > 0 ? positionals : [fileURLToPath(new URL("../../../", import.meta.url))];
  const list = listFiles(paths, limitBytes(given.text("limit-mib")));
  if (list.files.length === 0)
    throw new CommandError("ERR_NOT_FOUND", `no .md, .ts or .js file in ${paths.join(", ")}`, 4);
  const screen = given.flag("json") ? SILENT : terminal;
  const length = quick ? "quick" : "full";
  const figures: Record<string, unknown> = {};
  const children = new Children(signal);
  try {
    if (parts.includes("speed")) figures["speed"] = await showSpeed(children, screen, SPEED_MS[length], signal);
    if (parts.includes("work")) figures["work"] = await showWork(children, screen, list, signal);
    if (parts.includes("share")) figures["share"] = await showShare(children, screen, ROUNDS[length], signal);
  } finally {
    await children.end();
  }
  await showLeftovers(screen);
  if (given.flag("json")) await terminal.line(toJson(figures, 2));
}

function partsOf(only: string | undefined): readonly string[] {
  if (only === undefined) return PARTS;
  if (!PARTS.includes(only)) throw usageError(`--only must be one of ${PARTS.join(", ")}, not ${only}`);
  return [only];
}

function limitBytes(text: string | undefined): number {
  const mebibytes = text === undefined ? LIMIT_MIB.usual : Number(text);
  if (!Number.isInteger(mebibytes) || mebibytes < 1 || mebibytes > LIMIT_MIB.most)
    throw usageError(`--limit-mib must be a whole number from 1 to ${LIMIT_MIB.most}`);
  return mebibytes * 2 ** 20;
}

async function showSpeed(
  children: Children,
  screen: Screen,
  durationMs: number,
  signal: AbortSignal,
): Promise<SpeedFigure[]> {
  const { bold, dim } = screen.colours;
  const figures: SpeedFigure[] = [];
  await screen.line(
    `${bold("1. Speed")}: messages per second from one process to another, ${durationMs / 1000} s each`,
  );
  const rows = [["", "small object", `${MESSAGE_BYTES} bytes`]];
  for (const transport of TRANSPORTS) {
    const row = [`   ${transport}`];
    for (const kind of KINDS) {
      screen.status(`   measuring ${transport}, ${kind}`, process.stdout);
      const { messagesPerSecond } = await measureSpeed(children, transport, kind, durationMs, signal);
      row.push(formatCount(messagesPerSecond));
      figures.push({ transport, message: kind, messagesPerSecond });
    }
    rows.push(row);
  }
  screen.clearStatus();
  const lines = table(rows, [1, 2]);
  await screen.write(`${[dim(lines[0]), ...lines.slice(1)].join("\n")}\n`);
  await screen.line(
    dim(
      "   One process sends as fast as it is let, the other one counts. Objects travel as MessagePack in shmkit, as lines of\n" +
        "   JSON through the socket, as Node's own JSON through process.send; bytes through that in its advanced form.\n",
    ),
  );
  return figures;
}

async function showWork(children: Children, screen: Screen, list: FileList, signal: AbortSignal): Promise<WorkFigures> {
  const { bold, green, red } = screen.colours;
  const leftOut = list.leftOut === 0 ? "" : ` (${formatCount(list.leftOut)} files more left out: see --limit-mib)`;
  await screen.line(
    `${bold("2. Work")}: the words of ${formatCount(list.files.length)} files, ${formatBytes(list.bytes)}${leftOut};` +
      " one process reads, two tally under lease, this one adds up",
  );
  const work = await new Work(children, screen, list, signal).run();
  await screen.line(
    `   ${formatCount(total(work.tally))} words, ${formatCount(work.tally.size)} different, in ${work.seconds.toFixed(1)} s; ` +
      `${formatCount(work.batches)} batches, ${work.redelivered} delivered again, ${work.repeated} tallied twice and counted once`,
  );
  if (!work.killed) await screen.line("   nobody was killed: there was too little text to be in the middle of it");
  screen.status("   counting it all again in this process alone", process.stdout);
  const alone = await countAlone(list, signal);
  const differing = differences(work.tally, alone.tally);
  if (differing.length === 0) {
    await screen.line(`   ${green("identical")} to what one process alone counts, in ${alone.seconds.toFixed(1)} s\n`);
    const { tally, seconds, batches, redelivered, repeated, killed } = work;
    const counts = { words: total(tally), differentWords: tally.size, batches, redelivered, repeated };
    return { files: list.files.length, bytes: list.bytes, ...counts, killed, seconds, aloneSeconds: alone.seconds };
  }
  const meanwhile = changed(list.files);
  const why = meanwhile.length === 0 ? "" : `; ${meanwhile.length} files were changed meanwhile, as ${meanwhile[0]}`;
  await screen.line(`   ${red("different")} from what one process alone counts: ${differing.slice(0, 5).join("; ")}`);
  throw new CommandError("ERR_VERIFICATION", `the counts of ${differing.length} words differ (shared, alone)${why}`, 1);
}

async function showShare(
  children: Children,
  screen: Screen,
  rounds: Record<Latency["manner"], number>,
  signal: AbortSignal,
): Promise<Latency[]> {
  const { bold, dim } = screen.colours;
  const figures: Latency[] = [];
  await screen.line(`${bold("3. Share")}: a counter raised in one process, until another one sees it`);
  for (const manner of ["spinning", "sleeping"] as const) {
    const latency = await measureLatency(children, manner, rounds[manner], signal);
    figures.push(latency);
    const { medianUs, fastestUs } = latency;
    const how = manner === "spinning" ? "waitForSync, which spins first" : "await waitFor, asleep";
    await screen.line(
      `   ${manner.padEnd(9)} ${formatMicroseconds(medianUs).padStart(9)}  ${dim(`median of ${formatCount(rounds[manner])}, fastest ${formatMicroseconds(fastestUs)} (${how})`)}`,
    );
  }
  await screen.line();
  return figures;
}

async function showLeftovers(screen: Screen): Promise<void> {
  const { bold, green, dim } = screen.colours;
  const left = readdirSync("/dev/shm").filter((name) => name.startsWith(`shmkit.demo-${process.pid}-`));
  if (left.length > 0) throw new CommandError("ERR_LEFTOVERS", `left in /dev/shm: ${left.join(", ")}`, 1);
  await screen.line(`${bold("4. Left in /dev/shm")}: ${green("nothing")}\n`);
  await screen.line(
    `${bold("Try next")}, in two terminals:\n` +
      `   shmkit recv q/lines                     ${dim("# waits for it")}\n` +
      `   ls | shmkit send q/lines                ${dim("# either side may start first")}\n` +
      `   shmkit ls ; shmkit top ; shmkit --help  ${dim("# npx shmkit in a project, node dist/cli/main.js in a checkout")}`,
  );
}
