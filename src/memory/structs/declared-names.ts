import { ArgumentError } from "../../base/errors.js";
import type { BitFields } from "./bit-fields.js";
import { fieldName } from "./field-names.js";
import type { Struct } from "./struct.js";
import { innermost } from "./struct-layout.js";

/** A struct or group of bit fields with the name that it is declared under. */
export interface Declared {
  readonly type: Struct | BitFields;
  readonly name: string;
}

const UNNAMED = "struct";

/**
 * All that has to be declared for a struct, what is needed first in front. A struct without a name gets the one of
 * the field that it is in.
 * @throws ERR_INVALID_ARGUMENT
 */
export function declaredNames(root: Struct, name: string | undefined): Declared[] {
  const own = name === undefined ? root.name : fieldName(name, "a struct's name");
  if (own === UNNAMED)
    throw new ArgumentError(
      "ERR_INVALID_ARGUMENT",
      `the struct needs a name to be declared: struct({ … }, { name: "…" })`,
    );
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
        declare(inner as Struct | BitFields, hasName ? (inner as Struct).name : `${unique}_${field.name}`);
      }
    declared.push({ type, name: unique });
  };
  declare(root, own);
  return declared;
}
