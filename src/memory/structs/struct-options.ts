import { ArgumentError } from "../../base/errors.js";
import { choice, knownOptions, show } from "../../base/arguments.js";
import { fieldName } from "./field-names.js";

/** How the fields of a struct lie in memory. */
export interface StructOptions {
  /** Its name in messages and declarations, an identifier. Default: `struct` in messages; declarations then need one. */
  name?: string;
  /** No field is aligned to more bytes: `#pragma pack(n)` in C. 1 leaves no gaps. Default: each type's own alignment. */
  pack?: 1 | 2 | 4 | 8 | 16;
  /** It is aligned to at least so many bytes, and its size is a multiple of them: `alignas(n)` in C. A power of two up to 4096. Default 1. */
  align?: number;
  /** Which end of a number comes first. Holds for numbers and arrays of them; structs in it have their own. Default `"little"`, as the machines have it. */
  endian?: "little" | "big";
}

/** Options that were looked at. */
export interface CheckedOptions {
  readonly name: string | undefined;
  readonly pack: number;
  readonly align: number;
  readonly little: boolean;
}

const PACKS = [1, 2, 4, 8, 16];
/** More than any type's own alignment: no packing. */
const NO_PACK = 4096;
const ALIGNMENTS = Array.from({ length: 13 }, (_, power) => 2 ** power);

function oneOf(value: unknown, name: string, numbers: readonly number[]): number {
  if (numbers.includes(value as number)) return value as number;
  throw new ArgumentError("ERR_INVALID_ARGUMENT", `${name} must be one of ${numbers.join(", ")}, not ${show(value)}`, {
    expected: numbers,
    actual: value,
  });
}

export function checkedOptions(options: StructOptions | undefined): CheckedOptions {
  const { name, pack, align, endian } = knownOptions(options, ["name", "pack", "align", "endian"], "struct");
  return {
    name: name === undefined ? undefined : fieldName(name, "a struct's name"),
    pack: pack === undefined ? NO_PACK : oneOf(pack, "pack", PACKS),
    align: align === undefined ? 1 : oneOf(align, "align", ALIGNMENTS),
    little: endian === undefined || choice(endian, "endian", ["little", "big"]) === "little",
  };
}
