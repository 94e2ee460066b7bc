import { inspect } from "node:util";
import { usageLines, type Command, type Invocation } from "../command.js";
import { CommandError } from "../exit-codes.js";
import { clientside } from "../examples/clientside.js";
import { middleside } from "../examples/middleside.js";
import { serverside } from "../examples/serverside.js";

export const command: Command = {
  name: "example",
  summary: "three programs that talk through shared memory, in any starting order",
  usage: ["serverside SHM BYTES PIPE CAPACITY", "middleside SHM INPIPE OUTPIPE CAPACITY", "clientside SHM PIPE"],
  about: `The example programs of PicklingTools: serverside makes a region SHM of BYTES and sends 100 values through PIPE, with a
sequence number and two integers of 48 digits; middleside adds a number of its own and passes them on to OUTPIPE;
clientside prints 100. Start them in any order, in three terminals. A wrong number of arguments is exit code 1, as in
the original.`,
  options: {},
  exitCodes: [1, 4, 5, 141],
  examples: [
    "shmkit example serverside demo 1000000 first 4 & shmkit example middleside demo first second 4 & shmkit example clientside demo second",
  ],
  completes: ["serverside", "middleside", "clientside"],
  arguments: [0, Number.POSITIVE_INFINITY],
  run: example,
};

async function example({ positionals: [program, ...args], signal, terminal }: Invocation): Promise<void> {
  const print = (value: unknown): Promise<void> =>
    terminal.line(typeof value === "string" ? value : inspect(value, { breakLength: Number.POSITIVE_INFINITY }));
  if (program === "serverside" && args.length === 4)
    await serverside(args[0], wholeNumber(args[1]), args[2], wholeNumber(args[3]), signal, print);
  else if (program === "middleside" && args.length === 4)
    await middleside(args[0], args[1], args[2], wholeNumber(args[3]), signal, print);
  else if (program === "clientside" && args.length === 2) await clientside(args[0], args[1], signal, print);
  else throw new CommandError("ERR_USAGE", `usage: ${usageLines(command).join(" | ")}`, 1);
}

function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text))
    throw new CommandError("ERR_USAGE", `expected a whole number, not ${JSON.stringify(text)}`, 1);
  return Number(text);
}
