import { optionsOf, type Command } from "./command.js";

const ADDRESSES = "shmkit ls --names 2>/dev/null";

/** A completion script, by shell. */
export const COMPLETIONS: Readonly<Record<"bash" | "zsh" | "fish", (commands: readonly Command[]) => string>> = {
  bash,
  zsh,
  fish,
};

/** What bash does for the arguments of a command; undefined for files. */
function bashArguments({ completes }: Command): string | undefined {
  if (completes === "regions" || completes === "addresses") return `_shmkit_names ${completes}; return`;
  return completes === undefined ? undefined : `words="${completes.join(" ")}"`;
}

/**
 * Names that others chose never reach `compgen -W`, which would carry out what stands in `$(…)`: they are compared as they
 * are, and quoted.
 */
function bash(commands: readonly Command[]): string {
  const options = (command: Command): string =>
    optionsOf(command)
      .map(({ name }) => `--${name}`)
      .join(" ");
  const given = commands.flatMap((command) => {
    const action = bashArguments(command);
    return action === undefined ? [] : [`      ${command.name}) ${action} ;;`];
  });
  return `_shmkit_names() {
  local name
  COMPREPLY=()
  while IFS= read -r name; do
    if [[ "$1" == regions && "$name" == */* ]]; then continue; fi
    if [[ "$name" == "$word"* ]]; then COMPREPLY+=("$(printf %q "$name")"); fi
  done < <(${ADDRESSES})
}
_shmkit() {
  local word="\${COMP_WORDS[COMP_CWORD]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="${commands.map(({ name }) => name).join(" ")} --help --version"
  elif [[ "$word" == -* ]]; then
    case "\${COMP_WORDS[1]}" in
${commands.map((command) => `      ${command.name}) words="${options(command)}" ;;`).join("\n")}
    esac
  else
    case "\${COMP_WORDS[1]}" in
${given.join("\n")}
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
  const quoted = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  const lines = ["complete -c shmkit -n __fish_use_subcommand -l help -d 'show this help'"];
  for (const command of commands) {
    const { name, summary, completes } = command;
    lines.push(`complete -c shmkit -f -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`);
    const inside = `complete -c shmkit -n '__fish_seen_subcommand_from ${name}'`;
    for (const { name: option, about, short, type, optional } of optionsOf(command))
      lines.push(
        `${inside} -l ${option}${short === undefined ? "" : ` -s ${short}`}${type === "string" && optional !== true ? " -r" : ""} -d ${quoted(about)}`,
      );
    if (completes === "addresses") lines.push(`${inside} -a ${quoted(`(${ADDRESSES})`)}`);
    else if (completes === "regions") lines.push(`${inside} -f -a ${quoted(`(${ADDRESSES} | string match -v '*/*')`)}`);
    else if (completes !== undefined) lines.push(`${inside} -f -a ${quoted(completes.join(" "))}`);
  }
  return `${lines.join("\n")}\n`;
}
