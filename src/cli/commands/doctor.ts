import { printable } from "../colours.js";
import type { Command, Invocation } from "../command.js";
import { findingsOf, type Facts, type Level } from "../doctor/findings.js";
import { machineFacts } from "../doctor/machine.js";
import { errorLine } from "../exit-codes.js";
import { toJson } from "../json.js";

export const command: Command = {
  name: "doctor",
  summary: "find out whether this machine lets it work, and what to do if not",
  usage: ["[--json]"],
  about: `Looks at the shared memory of this machine and its limits, tries out what regions need of the system, looks for what was
left behind, says which addon was loaded, and whether this is a container. Says of each finding what to do. The exit code
is 1 if something does not work.`,
  options: { json: { type: "boolean", short: "j", about: "as JSON: the findings, and the facts behind them" } },
  exitCodes: [1, 141],
  completes: [],
  arguments: [0, 0],
  run: doctor,
};

async function doctor({ terminal, ...given }: Invocation): Promise<number> {
  const facts: Facts = { machine: machineFacts(), ...(await examination()) };
  const findings = findingsOf(facts);
  const healthy = findings.every(({ level }) => level !== "problem");
  if (given.flag("json")) await terminal.line(toJson({ healthy, findings, facts }, 2));
  else {
    const { bold, green, yellow, red, dim } = terminal.colours;
    const marks: Readonly<Record<Level, string>> = {
      ok: green("ok     "),
      note: yellow("note   "),
      problem: red("problem"),
    };
    for (const { about, level, text, advice } of findings) {
      await terminal.line(`${marks[level]}  ${bold(printable(about))}: ${printable(text)}`);
      if (advice !== undefined) await terminal.line(dim(`         → ${printable(advice)}`));
    }
    await terminal.line(healthy ? green("regions work here") : red("regions do not work here as they should"));
  }
  return healthy ? 0 : 1;
}

async function examination(): Promise<Omit<Facts, "machine">> {
  try {
    const { examine } = await import("../doctor/examination.js");
    return { ...(await examine()), failure: undefined };
  } catch (error) {
    const failure = errorLine(error).replace(/^shmkit: /, "");
    return { system: undefined, failure, unused: [], unreadable: [] };
  }
}
