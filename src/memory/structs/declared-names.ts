import { ArgumentError } from "../../base/errors.js";
import type { BitFields } from "./bit-fields.js";
import { fieldName } from "./field-names.js";
import type { FieldType } from "./field-type.js";
import type { Struct } from "./struct.js";
import { innermost } from "./struct-layout.js";

/** A struct or group of bit fields with the name that it is declared under. */
export interface Declared {
  readonly type: Struct | BitFields;
  readonly name: string;
}

const UNNAMED = "struct";

/** A struct to be declared. */
export interface NamedStruct {
  /** What is declared. */
  readonly struct: Struct;
  /** Default: its own. */
  readonly name?: string | undefined;
}

function nameOf({ struct, name }: NamedStruct): string {
  const own = name === undefined ? struct.name : fieldName(name, "a struct's name");
  if (own !== UNNAMED) return own;
  throw new ArgumentError(
    "ERR_INVALID_ARGUMENT",
    `the struct needs a name to be declared: struct({ … }, { name: "…" })`,
  );
}

/**
 * All that has to be declared for structs, each once, what is needed first in front. A struct without a name gets the
 * one of the field that it is in.
 * @throws ERR_INVALID_ARGUMENT
 */
export function declaredNames(wanted: readonly NamedStruct[]): Declared[] {
  const names = new Map<FieldType<unknown>, string>();
  for (const each of wanted) if (!names.has(each.struct)) names.set(each.struct, nameOf(each));
  const declared: Declared[] = [];
  const taken = new Set<string>();
  const free = (wanted: string): string => {
    let unique = wanted;
    for (let i = 2; taken.has(unique); i++) unique = `${wanted}_${i}`;
    taken.add(unique);
    return unique;
  };
  const declare = (type: Struct | BitFields, wanted: string): void => {
    if (declared.some((each) => each.type === type)) return;
    const unique = free(wanted);
    if (type.kind === "struct")
      for (const field of type.placed) {
        const inner = innermost(field.type);
        if (inner.kind !== "struct" && inner.kind !== "bits") continue;
        const hasName = inner.kind === "struct" && (inner as Struct).name !== UNNAMED;
        const own = hasName ? (inner as Struct).name : `${unique}_${field.name}`;
        declare(inner as Struct | BitFields, names.get(inner) ?? own);
      }
    declared.push({ type, name: unique });
  };
  for (const { struct } of wanted) declare(struct, names.get(struct)!);
  return declared;
}
