import type { Command, Invocation } from "../command.js";
import { allCommands } from "../command-table.js";
import { COMPLETIONS } from "../completions.js";
import { usageError } from "../exit-codes.js";

const SHELLS = Object.keys(COMPLETIONS);

export const command: Command = {
  name: "completion",
  summary: "print a shell's completion of shmkit commands",
  usage: [SHELLS.join("|")],
  about: `Prints a script that completes commands and options, and the addresses that exist. The package has the same scripts in
its folder completions.`,
  options: { json: { type: "boolean", short: "j", about: "errors of shmkit as JSON, on standard error" } },
  exitCodes: [141],
  examples: ["source <(shmkit completion bash)", "shmkit completion fish > ~/.config/fish/completions/shmkit.fish"],
  completes: SHELLS,
  arguments: [1, 1],
  run: completion,
};

async function completion({ terminal, positionals: [shell] }: Invocation): Promise<void> {
  if (!Object.hasOwn(COMPLETIONS, shell))
    throw usageError(`there is completion for ${SHELLS.join(", ")}, not for ${shell}`);
  await terminal.write(COMPLETIONS[shell as keyof typeof COMPLETIONS](await allCommands()));
}
