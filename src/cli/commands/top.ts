import { setTimeout as sleep } from "node:timers/promises";
import type { Command, Invocation } from "../command.js";
import { durationMs } from "../durations.js";
import { usageError } from "../exit-codes.js";
import { look, withRates } from "../listing.js";
import { listingLines } from "./ls.js";

const CLEAR = "\u001b[H\u001b[2J";
const OTHER_SCREEN = "\u001b[?1049h\u001b[?25l";
const BACK = "\u001b[?25h\u001b[?1049l";

export const command: Command = {
  name: "top",
  summary: "watch the regions in the terminal",
  usage: ["[REGION...]"],
  about: "Shows what shmkit ls shows, again and again, until Ctrl-C.",
  options: { interval: { type: "string", short: "i", value: "TIME", about: "time between two looks (default 1s)" } },
  exitCodes: [1, 141],
  arguments: [0, Number.POSITIVE_INFINITY],
  run: top,
};

async function top({ terminal, signal, positionals: names, ...given }: Invocation): Promise<void> {
  const intervalMs = durationMs(given.text("interval") ?? "1s", "--interval");
  if (!terminal.isTerminal) throw usageError("top needs a terminal; use shmkit ls");
  await terminal.write(OTHER_SCREEN);
  try {
    for (let before = await look(names), at = performance.now(); ;) {
      await sleep(intervalMs, undefined, { signal });
      const after = await look(names);
      const now = performance.now();
      const lines = listingLines(withRates(before, after, (now - at) / 1000), terminal.colours);
      const shown = lines.slice(0, Math.max(1, process.stdout.rows - 2));
      await terminal.write(
        `${CLEAR}${terminal.colours.dim(`${new Date().toLocaleTimeString()}  every ${intervalMs} ms, Ctrl-C ends`)}\n${shown.join("\n")}`,
      );
      before = after;
      at = now;
    }
  } finally {
    terminal.writeDirectly(BACK);
  }
}
