import { statfsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { formatBytes } from "../../base/sizes.js";
import { regionsOnly } from "../address.js";
import { clip } from "../colours.js";
import type { Command, Invocation } from "../command.js";
import { durationMs } from "../durations.js";
import { usageError } from "../exit-codes.js";
import { frameText, FullScreen } from "../full-screen.js";
import { History } from "../history.js";
import { toJson } from "../json.js";
import { look, withRates, type Listing } from "../listing.js";
import { fit, topLines } from "../top-screen.js";

export const command: Command = {
  name: "top",
  summary: "watch the regions: members, pipes with their rates, locks",
  usage: ["[REGION...] [--interval TIME]", "[REGION...] --once", "[REGION...] --json"],
  about: `Shows again and again the regions with their size and use, members alive and dead, pipes with depth, rates and a line
of the last ones, locks with their owner, and counters. q or Ctrl-C ends it, arrows scroll. Where standard output is no
terminal it shows all of that once; with --json it writes a line of JSON after each interval, until Ctrl-C. For how long a
lock is held is what top has seen: its owner may have held it longer before, or given it back in between.`,
  options: {
    interval: { type: "string", short: "i", value: "TIME", about: "time between two looks (default 1s)" },
    once: { type: "boolean", short: "1", about: "one interval, then end" },
    json: { type: "boolean", short: "j", about: "as JSON, one line a look" },
  },
  exitCodes: [1, 141],
  examples: ["shmkit top my-app --interval 200ms", "shmkit top --once --json | jq '.regions[].objects'"],
  completes: "regions",
  arguments: [0, Number.POSITIVE_INFINITY],
  run: top,
};

/** Looks, each with what moved since the one before. */
class Watch {
  readonly history = new History();
  listing: Listing = { regions: [], unreadable: [] };
  private readonly names: readonly string[];
  private lookedAt = 0;

  constructor(names: readonly string[]) {
    this.names = names;
  }

  async look(): Promise<void> {
    const before = this.listing;
    const after = await look(this.names);
    const now = performance.now();
    this.listing = withRates(before, after, (now - this.lookedAt) / 1000);
    this.lookedAt = now;
    this.history.add(this.listing, now);
  }
}

async function top({ terminal, signal, positionals, ...given }: Invocation): Promise<void> {
  const names = regionsOnly(positionals);
  const intervalMs = durationMs(given.text("interval") ?? "1s", "--interval");
  if (intervalMs < 10) throw usageError("--interval must be at least 10ms");
  const watch = new Watch(names);
  await watch.look();
  const { colours } = terminal;
  const lines = (): string[] =>
    topLines({ listing: watch.listing, history: watch.history, nowMs: performance.now(), colours });
  const isInteractive = terminal.isTerminal && process.env["TERM"] !== "dumb";
  const json = given.flag("json");
  if (json || given.flag("once") || !isInteractive) {
    do {
      await sleep(intervalMs, undefined, { signal });
      await watch.look();
      await terminal.line(json ? toJson(watch.listing) : lines().join("\n"));
    } while (json && !given.flag("once"));
    return;
  }
  const screen = new FullScreen(terminal);
  screen.enter();
  try {
    for (let first = 0, nextAt = performance.now() + intervalMs; ;) {
      const { columns, rows } = screen.size;
      const all = lines();
      first = Math.max(0, Math.min(first, all.length - (rows - 2)));
      const title = clip(titleText(intervalMs), columns);
      await terminal.write(frameText([colours.dim(title), "", ...fit(all, first, { columns, rows: rows - 2 })]));
      const event = await screen.next(Math.max(0, nextAt - performance.now()), signal);
      if (event === "quit") return;
      if (event === "up") first--;
      if (event === "down") first++;
      if (event === "time") {
        await watch.look();
        nextAt = performance.now() + intervalMs;
      }
    }
  } finally {
    screen.leave();
  }
}

function titleText(intervalMs: number): string {
  const { blocks, bavail, bsize } = statfsSync("/dev/shm");
  const memory = `/dev/shm ${formatBytes((blocks - bavail) * bsize)} of ${formatBytes(blocks * bsize)} used`;
  return `${new Date().toLocaleTimeString("en-GB")}  ${memory}  every ${intervalMs} ms  q ends`;
}
