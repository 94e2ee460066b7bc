import { optionsOf, type Command } from "./command.js";

const ADDRESSES = "shmkit ls --names 2>/dev/null";

/** A completion script, by shell. */
export const COMPLETIONS: Readonly<Record<"bash" | "zsh" | "fish", (commands: readonly Command[]) => string>> = {
  bash,
  zsh,
  fish,
};

/** Behind its own arguments a command that runs a program leaves the completion to that: of commands first, then files. */
function bashProgram(command: Command): string[] {
  if (command.programAt === undefined) return [];
  const valued = optionsOf(command).flatMap(({ name, short, type }) =>
    type === "string" ? [`--${name}`, ...(short === undefined ? [] : [`-${short}`])] : [],
  );
  return [`      ${command.name}) _shmkit_program ${command.programAt} "${valued.join(" ")}" && return ;;`];
}

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
# Of a program behind so many arguments; the options in the second argument take a value.
_shmkit_program() {
  local at behind="" arguments=0
  for ((at = 2; at < COMP_CWORD; at++)); do
    case "\${COMP_WORDS[at]}" in
      --) if [ -n "$behind" ]; then arguments=$((arguments + 1)); fi; behind=yes ;;
      -?*)
        if [ -n "$behind" ]; then arguments=$((arguments + 1))
        elif [[ " $2 " == *" \${COMP_WORDS[at]} "* ]]; then
          at=$((at + 1))
          if [ "\${COMP_WORDS[at]}" = "=" ]; then at=$((at + 1)); fi
        fi ;;
      *) arguments=$((arguments + 1)) ;;
    esac
  done
  if [ "$arguments" -lt "$1" ]; then return 1; fi
  COMPREPLY=()
  if [ "$arguments" -gt "$1" ]; then return 0; fi
  if [[ -z "$behind" && "$word" == -* ]]; then return 1; fi
  if [[ "$word" != */* ]]; then COMPREPLY=($(compgen -c -- "$word")); fi
  return 0
}
_shmkit() {
  local word="\${COMP_WORDS[COMP_CWORD]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="${commands.map(({ name }) => name).join(" ")} --help --version"
    COMPREPLY=($(compgen -W "$words" -- "$word"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${commands.flatMap(bashProgram).join("\n")}
  esac
  if [[ "$word" == -* ]]; then
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
