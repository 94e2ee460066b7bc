import { ArgumentError } from "../../base/errors.js";
import { show } from "../../base/arguments.js";
import type { ArrayType } from "./array-type.js";
import type { FieldType } from "./field-type.js";
import type { Struct } from "./struct.js";

/** A field of a struct, or of what is in it. */
export interface FoundField {
  readonly type: FieldType<unknown>;
  readonly offset: number;
  /** Of the struct it is a field of. */
  readonly endian: "little" | "big";
}

const STEP = /(?:^|(?!^)\.)([A-Za-z_]\w*)|\[(\d+)\]/y;

/** Follows a path such as `items[3].id`. @throws ERR_INVALID_ARGUMENT */
export function fieldAt(root: Struct, path: string): FoundField {
  let found: FoundField = { type: root, offset: 0, endian: root.endian };
  let step: RegExpExecArray | null;
  STEP.lastIndex = 0;
  do {
    step = typeof path === "string" ? STEP.exec(path) : null;
    const next =
      step === null ? undefined : step[1] === undefined ? element(found, Number(step[2])) : field(found, step[1]);
    if (next === undefined)
      throw new ArgumentError("ERR_INVALID_ARGUMENT", `${root.name} has no field ${show(path)}`, {
        actual: path,
        expected: Object.keys(root.fields),
      });
    found = next;
  } while (STEP.lastIndex < path.length);
  return found;
}

function field({ type, offset }: FoundField, name: string): FoundField | undefined {
  if (type.kind !== "struct") return undefined;
  const { placed, endian } = type as Struct;
  const own = placed.find((each) => each.name === name);
  return own === undefined ? undefined : { type: own.type, offset: offset + own.offset, endian };
}

function element({ type, offset, endian }: FoundField, index: number): FoundField | undefined {
  if (type.kind !== "array") return undefined;
  const { element: own, length } = type as ArrayType;
  return index < length ? { type: own, offset: offset + index * own.size, endian } : undefined;
}
