/**
 * `node scripts/generate-layout.mjs [--check]`: writes what follows from the descriptors in `src/layout` (compiled to
 * `dist/layout`): the C header, the constants for Python, and the diagrams and tables of docs/layout.md.
 *
 * `--check` writes nothing, names the files that differ and exits 1. An export of `src/layout` that this script does not
 * know how to say in other languages is an error, so that none is forgotten.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { TYPE_BYTES } from "../dist/layout/descriptor.js";
import * as condition from "../dist/layout/condition.js";
import * as heap from "../dist/layout/heap.js";
import { LOCK, LOCK_BYTES } from "../dist/layout/lock.js";
import * as lockManager from "../dist/layout/lock-manager.js";
import * as memberSlot from "../dist/layout/member-slot.js";
import * as pipe from "../dist/layout/pipe.js";
import * as segmentPool from "../dist/layout/segment-pool.js";
import { DIRECTORY, PREFIX } from "../dist/base/file-names.js";
import { LAYOUT_VERSION } from "../dist/layout/region-header.js";
import { STRUCTS } from "../dist/layout/structs.js";

/** @import { Field, Struct } from "../dist/layout/descriptor.js" */

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const LAYOUT = new URL("../dist/layout/", import.meta.url);
/** The modules of the layout that are not about describing it */
const MODULES = await Promise.all(
  readdirSync(LAYOUT)
    .filter((file) => file.endsWith(".js") && file !== "descriptor.js" && file !== "structs.js")
    .sort()
    .map((file) => import(new URL(file, LAYOUT).href)),
);
const DOCUMENT = "docs/layout.md";

// What there is to say.

/** `camelCase` and `CONSTANT_CASE` as `snake_case`; `operation.name` and `operation-name` too. */
const snake = (name) =>
  name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/[.-]/g, "_")
    .toLowerCase();
const constant = (name) => snake(name).toUpperCase();

/**
 * Words that hold several numbers, lowest bits first: `[name, bits, function that reads it]`. Bits that no name claims
 * are `undefined`. The functions are held against the bits before anything is written.
 *
 * @type {readonly PackedWord[]}
 * @typedef {readonly [name: string | undefined, bits: number, read?: (word: number) => number | boolean]} BitField
 * @typedef {{ name: string, where: string, bits: readonly BitField[], pack?: (values: Record<string, number>) => number }} PackedWord
 */
const PACKED = [
  {
    name: "run",
    where: "`run` of page_map_entry",
    bits: [
      ["pages", 20, heap.runPages],
      ["owner", 9, heap.runOwner],
      ["punched", 1, heap.runPunched],
      ["state", 2, heap.runState],
    ],
    pack: ({ state, punched, owner, pages }) => heap.packRun(state, punched === 1, owner, pages),
  },
  {
    name: "operation",
    where: "`operation` of member_slot and death_record",
    bits: [
      ["entry", 20, memberSlot.operationEntry],
      ["nibble", 4, memberSlot.operationNibble],
      ["phase", 2, memberSlot.operationPhase],
      ["code", 6, memberSlot.operationCode],
    ],
    pack: ({ code, phase, nibble, entry }) => memberSlot.packOperation(code, phase, nibble, entry),
  },
  {
    name: "lease",
    where: "`state` of lease_slot",
    bits: [
      ["state", 8, pipe.leaseState],
      ["owner", 24, pipe.leaseOwner],
    ],
    pack: ({ state, owner }) => pipe.packLease(state, owner),
  },
  {
    name: "conditionWaits",
    where: "`waits` of condition",
    bits: [
      ["wakes", 16, condition.conditionWakes],
      ["waits", 16, condition.conditionWaits],
    ],
    pack: ({ waits, wakes }) => condition.packConditionWaits(waits, wakes),
  },
  {
    name: "request",
    where: "`state` of lock_request",
    bits: [
      ["state", 3, lockManager.requestState],
      ["shared", 1, lockManager.requestShared],
      ["owner", 28, lockManager.requestOwner],
    ],
    pack: ({ state, shared, owner }) => lockManager.packRequest(state, shared === 1, owner),
  },
  {
    name: "segment",
    where: "owner words of segment_pool",
    bits: [
      ["owner", 9, segmentPool.segmentOwner],
      ["handedOver", 1, segmentPool.isHandedOver],
      ["generation", 22, segmentPool.segmentGeneration],
    ],
    pack: ({ owner, handedOver, generation }) => segmentPool.packSegment(generation, owner, handedOver === 1),
  },
  {
    name: "segmentArgument",
    where: "`argument` of member_slot, of operations on segment_pool",
    bits: [
      ["segment", 16, segmentPool.argumentSegment],
      ["generation", 16, segmentPool.argumentGeneration],
    ],
    pack: ({ segment, generation }) => segmentPool.packSegmentArgument(segment, generation),
  },
  {
    name: "recordKind",
    where: "`kind` of record",
    bits: [
      ["kind", 8],
      ["inBlock", 1],
      [undefined, 7],
      ["sender", 16],
    ],
  },
];

/** Functions of the layout that need no counterpart elsewhere: positions in a list that is written out. */
const KNOWN_FUNCTIONS = new Set(["kindCode"]);

/** Each field of a packed word with its lowest bit. */
function placed({ bits }) {
  let shift = 0;
  return bits.map(([name, width, read]) => {
    const field = { name, shift, width, mask: 2 ** width - 1, read };
    shift += width;
    return field;
  });
}

/** Throws unless the functions of the layout agree with {@link PACKED}, and every function is in it. */
function verifyPacking() {
  const said = new Set();
  for (const word of PACKED) {
    const fields = placed(word);
    if (fields.reduce((sum, { width }) => sum + width, 0) !== 32) throw new Error(`${word.name} has not 32 bits`);
    const zeroes = Object.fromEntries(fields.map(({ name }) => [name, 0]));
    for (const { name, shift, mask, read } of fields) {
      if (read === undefined) continue;
      said.add(read);
      const packed = word.pack({ ...zeroes, [name]: mask }) >>> 0;
      if (packed !== (mask << shift) >>> 0) throw new Error(`${word.name}.${name} is packed into other bits`);
      if (Number(read(packed | 0)) !== mask) throw new Error(`${word.name}.${name} is read from other bits`);
      if (Number(read(~packed)) !== 0) throw new Error(`${word.name}.${name} is read from more bits`);
    }
  }
  for (const exports of MODULES) {
    for (const [name, value] of Object.entries(exports)) {
      const isKnown = said.has(value) || KNOWN_FUNCTIONS.has(name) || /^pack[A-Z]/.test(name);
      if (typeof value === "function" && !isKnown) throw new Error(`${name} is said in no other language`);
    }
  }
}

/** The exports of `src/layout` by what they are. */
function collect() {
  const numbers = [];
  const enums = [];
  const lists = [];
  const declared = new Set();
  for (const exports of MODULES) {
    const ofModule = Object.entries(exports).filter(([, value]) => Array.isArray(value));
    lists.push(...ofModule.map(([name, value]) => ({ name, value })));
    /** Whether it says the positions in a list once more. */
    const isIndex = (value) => ofModule.some(([, keys]) => keys.every((key, position) => value[key] === position));
    for (const [name, value] of Object.entries(exports)) {
      if (typeof value === "number") numbers.push({ name, value });
      else if (typeof value === "function" || Array.isArray(value) || isIndex(value)) continue;
      else if ("struct" in value) declared.add(value.struct);
      else if (Object.values(value).every((code) => typeof code === "number")) {
        enums.push({ name, values: Object.entries(value) });
      } else throw new Error(`${name} is said in no other language`);
    }
  }
  for (const struct of STRUCTS) {
    if (!declared.delete(struct)) throw new Error(`${struct.name} is declared in no module that is read here`);
  }
  for (const { name } of declared) throw new Error(`${name} is missing in STRUCTS`);
  return { numbers, enums, lists };
}

/** Singular of a list's name, for its members: `OPERATIONS` → `operation`. */
const singular = (name) => snake(name).replace(/s$/, "");

const NOTICE = `Layout of a shmkit region, version ${LAYOUT_VERSION}; docs/layout.md explains it.`;
const GENERATED = "Generated from src/layout by scripts/generate-layout.mjs: do not edit.";

// C.

const C_TYPES = { u8: "uint8_t", u32: "uint32_t", i64: "int64_t", f64: "double" };

/** A lock inside another structure. @param {Field} field */
const isLock = ({ name, count }) => /(?:^l|L)ock$/.test(name) && count * 4 === LOCK_BYTES;

/** Field names that are words of the language. */
const C_KEYWORDS = new Set(["inline"]);
const cName = (name) => (C_KEYWORDS.has(name) ? `${name}_` : snake(name));

function cNumber(value) {
  if (value > 0xffffffff) return `INT64_C(${value})`;
  return value > 0xffff ? `UINT32_C(0x${value.toString(16)})` : String(value);
}

/** @param {Struct} struct */
function cStruct(struct) {
  const tag = `shmkit_${struct.name}`;
  const members = [];
  const asserts = [];
  let end = 0;
  const pad = (to) => {
    if (to > end) members.push(`  uint8_t reserved_${end}[${to - end}];`);
  };
  for (const field of struct.fields) {
    pad(field.offset);
    const name = cName(field.name);
    if (isLock(field)) members.push(`  struct shmkit_lock ${name};`);
    else members.push(`  ${C_TYPES[field.type]} ${name}${field.count > 1 ? `[${field.count}]` : ""};`);
    asserts.push(`_Static_assert(offsetof(struct ${tag}, ${name}) == ${field.offset}, "${struct.name}.${name}");`);
    end = field.offset + TYPE_BYTES[field.type] * field.count;
  }
  pad(struct.sizeBytes);
  asserts.push(`_Static_assert(sizeof(struct ${tag}) == ${struct.sizeBytes}, "${struct.name}");`);
  return [`struct ${tag} {`, ...members, "};", ...asserts].join("\n");
}

function cPacked(word) {
  const prefix = `SHMKIT_${constant(word.name)}`;
  const fields = placed(word).filter(({ name }) => name !== undefined);
  const hex = (value) => `UINT32_C(0x${value.toString(16)})`;
  const readers = fields.map(
    ({ name, shift, mask }) =>
      `#define ${prefix}_${constant(name)}(word) (((uint32_t)(word) >> ${shift}) & ${hex(mask)})`,
  );
  const parameters = fields.map(({ name }) => snake(name));
  const parts = fields.map(({ name, shift, mask }) => `((uint32_t)(${snake(name)}) & ${hex(mask)}) << ${shift}`);
  return [
    ...readers,
    `#define ${prefix}_PACK(${parameters.join(", ")}) \\`,
    `  (${parts.map((part) => `(${part})`).join(" | \\\n   ")})`,
  ].join("\n");
}

function cHeader({ numbers, enums, lists }) {
  const enumOf = (name, values) =>
    [
      `enum shmkit_${snake(name)} {`,
      ...values.map(([key, value]) => `  SHMKIT_${constant(name)}_${constant(key)} = ${value},`),
      "};",
    ].join("\n");
  // A structure is defined before those that embed it.
  const structs = [LOCK.struct, ...STRUCTS.filter((struct) => struct !== LOCK.struct)];
  return `${[
    `/*\n * ${NOTICE}\n * ${GENERATED}\n *\n * Fields marked "publish" or "atomic" in the document are read and written with atomic operations only\n * (GCC and Clang: the __atomic builtins).\n */`,
    "#ifndef SHMKIT_LAYOUT_H\n#define SHMKIT_LAYOUT_H",
    "#include <stddef.h>\n#include <stdint.h>",
    '#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__\n#error "the layout is little-endian"\n#endif',
    `/* A region NAME is the file SHMKIT_DIRECTORY "/" SHMKIT_PREFIX NAME. */\n#define SHMKIT_DIRECTORY "${DIRECTORY}"\n#define SHMKIT_PREFIX "${PREFIX}"`,
    numbers.map(({ name, value }) => `#define SHMKIT_${constant(name)} ${cNumber(value)}`).join("\n"),
    ...enums.map(({ name, values }) => enumOf(name, values)),
    ...lists.map(({ name, value }) =>
      [
        enumOf(
          singular(name),
          value.map((key, code) => [key, code]),
        ),
        `#define SHMKIT_${constant(singular(name))}_NAMES {\\\n${value.map((key) => `    "${key}",`).join("\\\n")}\\\n}`,
      ].join("\n"),
    ),
    ...PACKED.map((word) => `/* ${word.where.replaceAll("`", "")} */\n${cPacked(word)}`),
    ...structs.map(cStruct),
    "#endif",
  ].join("\n\n")}\n`;
}

// Python.

const PYTHON_FORMATS = { u8: "B", u32: "I", i64: "q", f64: "d" };

function pythonModule({ numbers, enums, lists }) {
  const value = (number) => (number > 0xffff && number <= 0xffffffff ? `0x${number.toString(16)}` : String(number));
  /** @param {Struct} struct */
  const table = (struct) =>
    [
      `${constant(struct.name)}_SIZE = ${struct.sizeBytes}`,
      `${constant(struct.name)} = {`,
      ...struct.fields.map(
        ({ name, offset, type, count }) =>
          `    "${snake(name)}": Field(${offset}, "${PYTHON_FORMATS[type]}", ${count}),`,
      ),
      "}",
    ].join("\n");
  const readers = (word) =>
    placed(word)
      .filter(({ name }) => name !== undefined)
      .map(
        ({ name, shift, mask }) =>
          `def ${snake(word.name)}_${snake(name)}(word: int) -> int:\n    return (word >> ${shift}) & ${value(mask)}`,
      )
      .join("\n\n\n");
  return `${[
    `"""${NOTICE}\n\n${GENERATED}\n"""`,
    "import struct\nfrom typing import NamedTuple",
    `DIRECTORY = "${DIRECTORY}"\nPREFIX = "${PREFIX}"`,
    numbers.map(({ name, value: number }) => `${name} = ${value(number)}`).join("\n"),
    ...enums.map(({ name, values }) =>
      values.map(([key, code]) => `${constant(name)}_${constant(key)} = ${code}`).join("\n"),
    ),
    ...lists.map(({ name, value: keys }) => `${name} = (\n${keys.map((key) => `    "${key}",`).join("\n")}\n)`),
    `
class Field(NamedTuple):
    """Where a field is: its offset, its type as a character of the struct module, its number of elements."""

    offset: int
    format: str
    count: int

    def read(self, buffer, base: int = 0):
        """The field of the structure at \`base\`: a number, a tuple of numbers, or bytes."""
        at = base + self.offset
        if self.format == "B":
            return bytes(buffer[at : at + self.count])
        values = struct.unpack_from(f"<{self.count}{self.format}", buffer, at)
        return values[0] if self.count == 1 else values
`,
    STRUCTS.map(table).join("\n\n"),
    `\n${PACKED.map(readers).join("\n\n\n")}`,
  ].join("\n\n")}\n`;
}

// The document.

const escapeCell = (text) => text.replaceAll("|", "\\|");

/** A picture of a structure, 16 bytes a line. @param {Struct} struct */
function diagram(struct) {
  const CELL = 17;
  const offset = (at) => `${String(at).padStart(6)}  `;
  const lines = [];
  let line = `offset  ${["+0", "+4", "+8", "+12"].map((text) => text.padEnd(CELL)).join("")}`;
  let row = -1;
  let end = 0;
  const begin = (next) => {
    lines.push(line.trimEnd());
    if (next > end) lines.push(`${offset(end)}(reserved)`);
    line = offset(next);
    row = next;
  };
  for (const field of struct.fields) {
    const at = field.offset % 16;
    if (field.offset - at !== row) begin(field.offset - at);
    const after = field.offset + TYPE_BYTES[field.type] * field.count;
    const name = field.count > 1 ? `${field.name}[${field.count}]` : field.name;
    line = line.padEnd(8 + (at / 4) * CELL) + (after > row + 16 ? `${name}, ${after - field.offset} bytes` : name);
    end = Math.ceil(after / 16) * 16;
  }
  begin(Math.max(end, struct.sizeBytes));
  return ["```text", ...lines, `${offset(struct.sizeBytes)}end`, "```"].join("\n");
}

/** @param {Struct} struct */
function structBlock(struct) {
  const type = ({ type: name, count }) => (count > 1 ? `${name}[${count}]` : name);
  const rows = struct.fields.map((field) =>
    [
      String(field.offset),
      type(field),
      `\`${field.name}\``,
      field.values,
      field.writer,
      field.order,
      field.afterCrash,
    ].map(escapeCell),
  );
  return [
    `${struct.sizeBytes} bytes. ${struct.doc}`,
    "",
    diagram(struct),
    "",
    "| Offset | Type | Field | Values, unit | Writer and rule | Order | After a crash |",
    "|---:|---|---|---|---|---|---|",
    ...rows.map((row) => `| ${row.join(" | ")} |`),
  ].join("\n");
}

function constantsBlock({ numbers, enums, lists }) {
  const number = (value) => (value > 0xffff ? `${value} (0x${value.toString(16)})` : String(value));
  const codes = (values) => values.map(([key, value]) => `${value} ${key}`).join(", ");
  return [
    "| Constant | Value |",
    "|---|---|",
    ...numbers.map(({ name, value }) => `| \`${name}\` | ${number(value)} |`),
    "",
    "| Codes | Values |",
    "|---|---|",
    ...enums.map(({ name, values }) => `| \`${name}\` | ${codes(values)} |`),
    ...lists.map(({ name, value }) => `| \`${name}\` | ${codes(value.map((key, code) => [key, code]))} |`),
  ].join("\n");
}

function packedBlock() {
  const bits = ({ shift, width }) => (width === 1 ? String(shift) : `${shift}–${shift + width - 1}`);
  return [
    "| Word | Bits |",
    "|---|---|",
    ...PACKED.map(
      (word) =>
        `| ${word.where} | ${placed(word)
          .map((field) => `${bits(field)} ${field.name === undefined ? "unused" : `\`${field.name}\``}`)
          .join(", ")} |`,
    ),
  ].join("\n");
}

/** Replaces what is between the markers of each block; every block must have its place. */
function fillDocument(text, blocks) {
  const filled = new Set();
  const result = text.replace(/<!-- layout: (\w+): begin -->\n[\s\S]*?<!-- layout: \1: end -->/g, (_block, name) => {
    if (!Object.hasOwn(blocks, name)) throw new Error(`${DOCUMENT}: there is nothing called ${name}`);
    filled.add(name);
    return `<!-- layout: ${name}: begin -->\n\n${blocks[name]}\n\n<!-- layout: ${name}: end -->`;
  });
  const missing = Object.keys(blocks).filter((name) => !filled.has(name));
  if (missing.length > 0) throw new Error(`${DOCUMENT} has no place for ${missing.join(", ")}`);
  return result;
}

/** Every generated file with its text. */
function generate() {
  verifyPacking();
  const content = collect();
  const blocks = Object.fromEntries(STRUCTS.map((struct) => [struct.name, structBlock(struct)]));
  const path = join(ROOT, DOCUMENT);
  if (!existsSync(path)) throw new Error(`${DOCUMENT} is missing`);
  return {
    "interop/c/shmkit_layout.h": cHeader(content),
    "interop/python/shmkit_layout.py": pythonModule(content),
    [DOCUMENT]: fillDocument(readFileSync(path, "utf8"), {
      ...blocks,
      constants: constantsBlock(content),
      packed: packedBlock(),
    }),
  };
}

const check = process.argv.includes("--check");
for (const [path, wanted] of Object.entries(generate())) {
  const absolute = join(ROOT, path);
  if (existsSync(absolute) && readFileSync(absolute, "utf8") === wanted) continue;
  if (check) {
    console.error(`${path} differs from src/layout: node scripts/generate-layout.mjs writes it`);
    process.exitCode = 1;
  } else {
    mkdirSync(dirname(absolute), { recursive: true });
    writeFileSync(absolute, wanted);
    console.log(path);
  }
}
