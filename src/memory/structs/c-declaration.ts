import type { ArrayType } from "./array-type.js";
import type { BitFields } from "./bit-fields.js";
import { declaredNames, type Declared, type NamedStruct } from "./declared-names.js";
import type { FieldType } from "./field-type.js";
import type { ScalarType } from "./scalars.js";
import type { Struct } from "./struct.js";

/** Names that C, a compiler on Linux, or the headers keep for themselves. */
const KEYWORDS = new Set(
  `alignas alignof auto bool break case char const constexpr continue default do double else enum extern false float for
  goto if inline int long nullptr register restrict return short signed sizeof static static_assert struct switch
  thread_local true typedef typeof typeof_unqual union unsigned void volatile while asm linux unix i386 NULL offsetof
  unreachable`.split(/\s+/),
);
/** C11 7.1.3, and the macros of <stdint.h>. */
const RESERVED =
  /^_[_A-Z]|^U?INT(?:_LEAST|_FAST)?\d+_(?:MIN|MAX|C)$|^(?:U?INT(?:PTR|MAX)|SIZE|SIG_ATOMIC|WCHAR|WINT|PTRDIFF)_(?:MIN|MAX|C)$/;

/** Such a name gets a `_` at its end, and so does one that would be the same then: no two names become one. */
function nameInC(name: string): string {
  const bare = name.replace(/_+$/, "");
  return KEYWORDS.has(bare) || RESERVED.test(name) || RESERVED.test(bare) ? `${name}_` : name;
}

/** A member: `int32_t counts[2][3]`. */
function member(type: FieldType<unknown>, name: string, declared: readonly Declared[]): string {
  let dimensions = "";
  let inner = type;
  for (; inner.kind === "array"; inner = (inner as ArrayType).element) dimensions += `[${(inner as ArrayType).length}]`;
  if (inner.kind === "text") return `char ${name}${dimensions}[${inner.size}]`;
  if (inner.kind === "bytes") return `uint8_t ${name}${dimensions}[${inner.size}]`;
  if (inner.kind === "scalar") return `${(inner as ScalarType<number>).format.c} ${name}${dimensions}`;
  return `struct ${nameInC(declared.find((each) => each.type === inner)!.name)} ${name}${dimensions}`;
}

function bitFields({ placed, unit }: BitFields): string[] {
  return placed.map(({ name, width }) => `  ${unit.format.c} ${nameInC(name)} : ${width};`);
}

function body(struct: Struct, declared: readonly Declared[]): string[] {
  return struct.placed.map(({ name, type, offset }) => {
    const note = String(type).startsWith("float16") ? ", IEEE 754 binary16" : "";
    return `  ${member(type, nameInC(name), declared)}; /* at ${offset}${note} */`;
  });
}

function assertions(struct: Struct, name: string): string[] {
  const equal = (what: string, value: number): string => `_Static_assert(${what} == ${value}, "${what} is ${value}");`;
  return [
    equal(`sizeof(struct ${name})`, struct.size),
    equal(`_Alignof(struct ${name})`, struct.alignment),
    ...struct.placed.map((field) => equal(`offsetof(struct ${name}, ${nameInC(field.name)})`, field.offset)),
  ];
}

function declaration({ type, name: given }: Declared, declared: readonly Declared[]): string {
  const name = nameInC(given);
  if (type.kind === "bits") {
    const size = `_Static_assert(sizeof(struct ${name}) == ${type.size}, "sizeof(struct ${name}) is ${type.size}");`;
    return [`struct ${name} {`, ...bitFields(type), "};", size].join("\n");
  }
  const isPacked = type.pack <= 16;
  const natural = Math.max(...type.placed.map((field) => Math.min(field.type.alignment, type.pack)));
  const alignment = type.alignment > natural ? `__attribute__((aligned(${type.alignment}))) ` : "";
  return [
    ...(type.endian === "big" ? ["/* Its numbers are big-endian. */"] : []),
    ...(isPacked ? [`#pragma pack(push, ${type.pack})`] : []),
    `struct ${alignment}${name} {`,
    ...body(type, declared),
    "};",
    ...(isPacked ? ["#pragma pack(pop)"] : []),
    ...assertions(type, name),
  ].join("\n");
}

/** The declarations of structs in C11, with what they need. */
export function cDeclaration(wanted: readonly NamedStruct[]): string {
  const declared = declaredNames(wanted);
  const headers = "#include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>";
  return `${[headers, ...declared.map((each) => declaration(each, declared))].join("\n\n")}\n`;
}
