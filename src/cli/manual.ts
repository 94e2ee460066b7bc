import { ABOUT, exitCodesOf, optionsOf, usageLines, type Command } from "./command.js";
import { EXIT_CODES } from "./exit-codes.js";

/** What commands heed besides their arguments. */
const ENVIRONMENT: readonly (readonly [name: string, about: string])[] = [
  ["NO_COLOR", "if it is set and not empty: no colours"],
  ["FORCE_COLOR", "colours even where standard output is no terminal; 0 or false: none anywhere. Goes before NO_COLOR"],
  ["TERM", "dumb: no colours, and top shows everything once"],
  ["SHMKIT_ADDON", "path of the native addon to load instead of the one of the package"],
];

/** Text for man(7): what would be a command or a sequence of its own is none. */
const roff = (text: string): string =>
  text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(
      /[\u0080-\u{10ffff}]/gu,
      (character) => `\\[u${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}]`,
    )
    .replace(/^ +/gm, "")
    .replace(/^([.'])/gm, "\\&$1")
    // The items of a list, each on a line of its own.
    .replace(/^(?=\d\. )/gm, ".br\n");

const bold = (text: string): string => `\\fB${roff(text)}\\fR`;
const term = (name: string, about: string): string[] => [".TP", bold(name), roff(about)];

/** The page of section 1, as man(7) wants it. */
export function manual(commands: readonly Command[], version: string): string {
  const lines = [
    `.TH SHMKIT 1 "" "shmkit ${version}" "User Commands"`,
    ".SH NAME",
    `shmkit \\- ${roff(ABOUT.charAt(0).toLowerCase() + ABOUT.slice(1, -1))}`,
    ".SH SYNOPSIS",
    ...paragraphs(
      ["shmkit COMMAND [ARGUMENTS]", "shmkit COMMAND --help", "shmkit --help | --version"].map(bold),
      ".br",
    ),
    ".SH DESCRIPTION",
    roff(
      "An address REGION/NAME means the object NAME in the region REGION. A failing command says why in one line on standard error: shmkit: CODE: message.",
    ),
    ".SH COMMANDS",
    ...commands.flatMap(section),
    ".SH EXIT STATUS",
    ...Object.entries(EXIT_CODES).flatMap(([code, meaning]) => term(code, meaning)),
    ".SH ENVIRONMENT",
    ...ENVIRONMENT.flatMap(([name, about]) => term(name, about)),
    ".SH FILES",
    ...term("/dev/shm/shmkit.REGION", "the memory of a region"),
    ".SH SEE ALSO",
    "shm_overview(7), tmpfs(5); docs/guide/cli.md in the package",
  ];
  return `${lines.join("\n")}\n`;
}

const paragraphs = (texts: readonly string[], between: string): string[] =>
  texts.flatMap((text, at) => (at === 0 ? [text] : [between, text]));

function section(command: Command): string[] {
  const { name, summary, about, examples = [] } = command;
  return [
    `.SS ${roff(name)}`,
    `${roff(summary)}.`,
    ".PP",
    ...paragraphs(usageLines(command).map(bold), ".br"),
    ...(about === undefined ? [] : [".PP", roff(about)]),
    ...optionsOf(command).flatMap(({ written, about: what }) => term(written, what)),
    ".PP",
    `Exit codes: ${exitCodesOf(command).join(", ")}.`,
    ...(examples.length === 0 ? [] : [".PP", ".EX", ...examples.map(roff), ".EE"]),
  ];
}
