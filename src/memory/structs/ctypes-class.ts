import type { ArrayType } from "./array-type.js";
import type { BitFields } from "./bit-fields.js";
import { declaredNames, type Declared, type NamedStruct } from "./declared-names.js";
import type { FieldType } from "./field-type.js";
import type { ScalarType } from "./scalars.js";
import type { Struct } from "./struct.js";

/** Names that Python keeps for itself, and those that the classes here use. */
const KEYWORDS = new Set(
  `False None True and as assert async await break class continue def del elif else except finally for from global if
  import in is lambda nonlocal not or pass raise return try while with yield ctypes`.split(/\s+/),
);
/** A class of such a name gets a `_` at its end, and so does one that would be the same then. */
const classInPython = (name: string): string => (KEYWORDS.has(name.replace(/_+$/, "")) ? `${name}_` : name);

/** Names that the classes of ctypes have themselves; a field of one of them gets a `_` at its end. */
const nameInPython = (name: string): string => (/^_(?!\d).*_$/.test(name) ? `${name}_` : name);

function scalarIn(type: FieldType<unknown>, little: boolean): string {
  const { ctypes } = (type as ScalarType<number>).format;
  // ctypes has no bool whose bytes it can turn round, though there is but one.
  return `ctypes.${ctypes === "c_bool" && !little ? "c_uint8" : ctypes}`;
}

function typeInPython(type: FieldType<unknown>, little: boolean, declared: readonly Declared[]): string {
  switch (type.kind) {
    case "scalar":
      return scalarIn(type, little);
    case "text":
      return `ctypes.c_char * ${type.size}`;
    case "bytes":
      return `ctypes.c_uint8 * ${type.size}`;
    case "array": {
      const { element, length } = type as ArrayType;
      return `(${typeInPython(element, little, declared)}) * ${length}`;
    }
    case "struct":
    case "bits":
      return classInPython(declared.find((each) => each.type === type)!.name);
  }
}

/** The alignment that ctypes gives a type: that of C, but for structs whose gaps are written out. */
function alignmentInPython(type: FieldType<unknown>): number {
  if (type.kind === "array") return alignmentInPython((type as ArrayType).element);
  if (type.kind !== "struct") return type.alignment;
  if (!isPlacedByPython(type as Struct)) return 1;
  const { placed, pack } = type as Struct;
  return Math.max(...placed.map((field) => Math.min(alignmentInPython(field.type), pack)));
}

/** Whether ctypes places the fields as they are: it knows `pack`, but no alignment beyond that before Python 3.13. */
function isPlacedByPython({ placed, pack, size }: Struct): boolean {
  let end = 0;
  let alignment = 1;
  for (const { type, offset } of placed) {
    const step = Math.min(alignmentInPython(type), pack);
    alignment = Math.max(alignment, step);
    if (Math.ceil(end / step) * step !== offset) return false;
    end = offset + type.size;
  }
  return Math.ceil(end / alignment) * alignment === size;
}

function fieldsOf(struct: Struct, writesGaps: boolean, declared: readonly Declared[]): string[] {
  const little = struct.endian === "little";
  const lines: string[] = [];
  let end = 0;
  const fill = (until: number): void => {
    if (writesGaps && until > end) lines.push(`("_gap_at_${end}", ctypes.c_uint8 * ${until - end}),`);
  };
  for (const { name, type, offset } of struct.placed) {
    fill(offset);
    lines.push(`("${nameInPython(name)}", ${typeInPython(type, little, declared)}),`);
    end = offset + type.size;
  }
  fill(struct.size);
  return lines;
}

function bitFields({ placed, unit }: BitFields): string[] {
  return placed.map(({ name, width }) => `("${nameInPython(name)}", ${scalarIn(unit, true)}, ${width}),`);
}

function classOf({ type, name: given }: Declared, declared: readonly Declared[]): string {
  const name = classInPython(given);
  if (type.kind === "bits") return classText(name, "Little", undefined, bitFields(type), type.size);
  const writesGaps = !isPlacedByPython(type);
  const pack = writesGaps ? 1 : type.pack;
  const base = type.endian === "little" ? "Little" : "Big";
  return classText(name, base, pack > 16 ? undefined : pack, fieldsOf(type, writesGaps, declared), type.size);
}

function classText(name: string, base: string, pack: number | undefined, fields: string[], size: number): string {
  const lines = [
    `class ${name}(ctypes.${base}EndianStructure):`,
    ...(pack === undefined ? [] : ['    _layout_ = "ms"', `    _pack_ = ${pack}`]),
    "    _fields_ = [",
    ...fields.map((field) => `        ${field}`),
    "    ]",
    "",
    "",
    `assert ctypes.sizeof(${name}) == ${size}`,
  ];
  return lines.join("\n");
}

/** The classes of structs in Python, with what they need. */
export function ctypesClass(wanted: readonly NamedStruct[]): string {
  const declared = declaredNames(wanted);
  return `${["import ctypes", ...declared.map((each) => classOf(each, declared))].join("\n\n\n")}\n`;
}
