import { Region } from "../../index.js";
import type { Command, Invocation } from "../command.js";

export const command: Command = {
  name: "clean",
  summary: "remove the regions that no living process uses",
  usage: [""],
  about: `Removes what no living process uses, and prints the names. Regions of lifetime "kernel" stay unless --kernel is given.
Needed only after every process of a region was killed at once; the next one that opens it cleans up as well.`,
  options: { kernel: { type: "boolean", short: "k", about: "regions that were asked to stay as well" } },
  exitCodes: [1],
  arguments: [0, 0],
  run: clean,
};

async function clean({ terminal, ...given }: Invocation): Promise<void> {
  for (const name of await Region.clean({ kernel: given.flag("kernel") })) await terminal.line(name);
}
