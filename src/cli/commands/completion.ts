import type { Command, Invocation } from "../command.js";
import { COMMANDS } from "../command-table.js";
import { usageError } from "../exit-codes.js";

export const command: Command = {
  name: "completion",
  summary: "print a shell's completion of shmkit commands",
  usage: ["bash|zsh|fish"],
  about: "Prints a script that completes commands and options, and the addresses that exist.",
  options: {},
  exitCodes: [141],
  examples: ["source <(shmkit completion bash)", "shmkit completion fish > ~/.config/fish/completions/shmkit.fish"],
  arguments: [1, 1],
  run: completion,
};

const ADDRESSES = "shmkit ls --names 2>/dev/null";

async function completion({ terminal, positionals: [shell] }: Invocation): Promise<void> {
  const commands: Command[] = [];
  for (const load of Object.values(COMMANDS)) commands.push((await load()).command);
  const scripts: Readonly<Record<string, (commands: readonly Command[]) => string>> = { bash, zsh, fish };
  if (!Object.hasOwn(scripts, shell))
    throw usageError(`there is completion for ${Object.keys(scripts).join(", ")}, not for ${shell}`);
  await terminal.write(scripts[shell](commands));
}

const optionsOf = ({ options }: Command): string =>
  [...Object.keys(options), "help"].map((name) => `--${name}`).join(" ");

/** Words that stand after some commands. */
function wordsOf({ name }: Command): string {
  if (name === "example") return "serverside middleside clientside";
  if (name === "completion") return "bash zsh fish";
  return "";
}

function bash(commands: readonly Command[]): string {
  return `_shmkit() {
  local word="\${COMP_WORDS[COMP_CWORD]}" words
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="${commands.map(({ name }) => name).join(" ")} --help --version"
  elif [[ "$word" == -* ]]; then
    case "\${COMP_WORDS[1]}" in
${commands.map((command) => `      ${command.name}) words="${optionsOf(command)}" ;;`).join("\n")}
    esac
  else
    case "\${COMP_WORDS[1]}" in
${commands
  .filter((command) => wordsOf(command) !== "")
  .map((command) => `      ${command.name}) words="${wordsOf(command)}" ;;`)
  .join("\n")}
      rm|inspect|send|recv) words="$(${ADDRESSES})" ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _shmkit shmkit
`;
}

function zsh(commands: readonly Command[]): string {
  return `#compdef shmkit\nautoload -U +X bashcompinit && bashcompinit\n${bash(commands)}`;
}

function fish(commands: readonly Command[]): string {
  const quoted = (text: string): string => `'${text.replaceAll("'", "\\'")}'`;
  const lines = ["complete -c shmkit -n __fish_use_subcommand -l help -d 'show this help'"];
  for (const command of commands) {
    const { name, summary, options } = command;
    lines.push(`complete -c shmkit -f -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`);
    const inside = `complete -c shmkit -n '__fish_seen_subcommand_from ${name}'`;
    for (const [option, { about, short, type }] of Object.entries(options))
      lines.push(
        `${inside} -l ${option}${short === undefined ? "" : ` -s ${short}`}${type === "string" ? " -r" : ""} -d ${quoted(about)}`,
      );
    if (wordsOf(command) !== "") lines.push(`${inside} -f -a ${quoted(wordsOf(command))}`);
  }
  lines.push(`complete -c shmkit -n '__fish_seen_subcommand_from rm inspect send recv' -a ${quoted(`(${ADDRESSES})`)}`);
  return `${lines.join("\n")}\n`;
}
