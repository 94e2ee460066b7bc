import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { FieldLayout, NamedStruct, Struct, StructLayout } from "#shmkit";
import type { Command, Invocation } from "../command.js";
import { CommandError, usageError } from "../exit-codes.js";
import { formatCount, table } from "../figures.js";
import { toJson } from "../json.js";

export const command: Command = {
  name: "struct",
  summary: "show where the fields of structs lie, or declare them in C or Python",
  usage: ["FILE[#EXPORT] [--c | --python | --json]"],
  about: `Loads FILE, a module that exports structs (a .ts file where Node strips types), and prints the layout of EXPORT, or
of all of them. A struct that has no name takes the one of its export. Loading a module runs it.`,
  options: {
    json: { type: "boolean", short: "j", about: "the layout as JSON" },
    c: { type: "boolean", short: "c", about: "a declaration in C11, which asserts the layout when it is compiled" },
    python: { type: "boolean", short: "p", about: "a class of Python's ctypes" },
  },
  exitCodes: [1, 4, 5, 141],
  examples: ["shmkit struct colors.mjs", "shmkit struct colors.mjs#MyColor --c > my-color.h"],
  arguments: [1, 1],
  run: printStructs,
};

/** One of another copy of the package is one, too. */
const isStruct = (value: unknown): value is Struct =>
  typeof value === "object" &&
  value !== null &&
  ["layout", "toC", "toPython"].every((name) => typeof (value as Record<string, unknown>)[name] === "function");

async function printStructs({ terminal, positionals: [address], ...given }: Invocation): Promise<void> {
  const forms = ["c", "python", "json"].filter((name) => given.flag(name));
  if (forms.length > 1) throw usageError(`--${forms.join(" and --")} exclude each other`);
  const structs = await structsOf(address);
  // The struct of the file does it, which may be one of another copy of the package.
  const [first, ...others] = structs as [NamedStruct, ...NamedStruct[]];
  if (given.flag("json"))
    await terminal.line(toJson({ structs: structs.map(({ name, struct }) => ({ ...struct.layout(), name })) }, 2));
  else if (given.flag("c")) await terminal.write(first.struct.toC(first.name, others));
  else if (given.flag("python")) await terminal.write(first.struct.toPython(first.name, others));
  else for (const { name, struct } of structs) await terminal.write(`${lines(name, struct.layout()).join("\n")}\n`);
}

async function structsOf(address: string): Promise<{ name: string; struct: Struct }[]> {
  const [, file, wanted] = /^(.*?)(?:#([^#/]+))?$/s.exec(address)!;
  const path = resolve(file);
  if (!existsSync(path)) throw new CommandError("ERR_NOT_FOUND", `there is no file ${file}`, 4);
  let exported: Record<string, unknown>;
  try {
    exported = (await import(pathToFileURL(path).href)) as Record<string, unknown>;
  } catch (error) {
    throw new CommandError("ERR_MODULE", `${file} cannot be loaded: ${(error as Error).message}`, 1);
  }
  const structs = Object.entries(exported)
    .filter((entry): entry is [string, Struct] => isStruct(entry[1]) && (wanted ?? entry[0]) === entry[0])
    .map(([name, struct]) => ({ name: struct.name === "struct" ? name : struct.name, struct }));
  if (structs.length === 0)
    throw new CommandError("ERR_NOT_FOUND", `${file} exports no struct${wanted === undefined ? "" : ` ${wanted}`}`, 4);
  return structs;
}

function lines(name: string, { size, alignment, endian, fields }: StructLayout): string[] {
  const order = endian === "big" ? ", big-endian" : "";
  return [
    `${name}: ${formatCount(size)} bytes, aligned to ${alignment}${order}`,
    ...table([["offset", "size", "field", "type"], ...fields.flatMap((field) => rows(field, "", 0))], [0, 1]),
  ];
}

function rows({ name, type, offset, size, bits, fields = [] }: FieldLayout, indent: string, base: number): string[][] {
  const at = base + offset;
  const own =
    bits === undefined
      ? [String(at), String(size), `${indent}${name}`, type]
      : [String(at), "", `${indent}${name}`, `${bits.width} bits from bit ${bits.shift}`];
  return [own, ...fields.flatMap((field) => rows(field, `${indent}  `, at))];
}
