import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import * as shmkit from "shmkit";
import { array, BitFields, bits, bytes, string, struct, Struct, type FieldLayout, type FieldType } from "shmkit";
import { failsWith } from "./helpers/argument-failures.js";
import { executableFolder } from "./helpers/executable-folder.js";
import { Random } from "./helpers/process-random.js";
import { hasPython } from "./helpers/python.js";

const NUMBERS = [
  "int8",
  "int16",
  "int32",
  "uint8",
  "uint16",
  "uint32",
  "int64",
  "uint64",
  "float32",
  "float64",
  "bool",
] as const;
const UNITS = ["int8", "uint8", "int16", "uint16", "int32", "uint32"] as const;
const STRUCTS = 80;

const folder = executableFolder("shmkit-abi-");
after(() => rmSync(folder, { recursive: true, force: true }));

// That a packed struct gives one in it less than it is aligned to is what it was made for.
const FLAGS = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-warning-option", "-Wno-packed-not-aligned"];

type Made = Struct<Record<string, FieldType<unknown>>>;

/** Structs that nobody thought of: nested, packed, with arrays and bit fields. The same ones in every run. */
function randomStructs(seed: number): Made[] {
  const random = new Random(seed);
  const made: Made[] = [];
  const field = (): FieldType<unknown> => {
    const kind = random.below(10);
    if (kind === 0) return string(1 + random.below(9));
    if (kind === 1) return bytes(1 + random.below(5));
    if (kind === 2) {
      const unit = shmkit[random.of(UNITS)];
      const names = Array.from({ length: 1 + random.below(6) }, (_, i) => [`b${i}`, 1 + random.below(unit.size * 8)]);
      return bits(Object.fromEntries(names) as Record<string, number>, unit);
    }
    if (kind === 3) return array(field(), 1 + random.below(3));
    if (kind === 4 && made.length > 0) return random.of(made);
    return shmkit[random.of(NUMBERS)];
  };
  for (let i = 0; i < STRUCTS; i++) {
    const fields = Object.fromEntries(Array.from({ length: 1 + random.below(6) }, (_, at) => [`f${at}`, field()]));
    const isPacked = random.below(3) === 0;
    const isAligned = random.below(5) === 0;
    made.push(
      struct(fields, {
        name: `S${i}`,
        ...(isPacked && { pack: random.of([1, 2, 4, 8] as const) }),
        ...(isAligned && { align: 2 ** random.below(7) }),
      }),
    );
  }
  return made;
}

/** Something to store in a field, different in most bits, and text that decodes. */
function valueFor(type: FieldType<unknown>, random: Random): unknown {
  const memory = Uint8Array.from({ length: type.size }, () => random.below(256));
  if (type.kind === "text") return "x".repeat(random.below(type.size));
  if (type.kind === "array") {
    const { element, length } = type as ReturnType<typeof array>;
    return Array.from({ length }, () => valueFor(element, random));
  }
  if (type.kind === "struct")
    return Object.fromEntries(
      Object.entries((type as Made).fields).map(([name, inner]) => [name, valueFor(inner, random)]),
    );
  if (type.kind === "scalar" && String(type).startsWith("float")) return random.below(2 ** 20) / 8;
  return struct({ value: type }).read(memory).value;
}

/** Everything in a struct that C prints as one value, by its name there. */
function leaves(fields: readonly FieldLayout[], values: Record<string, unknown>, path: string): [string, unknown][] {
  const of = (value: unknown, name: string, { fields: inner }: FieldLayout): [string, unknown][] => {
    if (value instanceof Uint8Array) return [...value].map((each, i) => [`${name}[${i}]`, each]);
    if (typeof value === "object") return leaves(inner!, value as Record<string, unknown>, `${name}.`);
    return [[name, value]];
  };
  return fields.flatMap((field) => {
    const nested = (value: unknown, name: string): [string, unknown][] =>
      Array.isArray(value) ? value.flatMap((each, i) => nested(each, `${name}[${i}]`)) : of(value, name, field);
    return nested(values[field.name], `${path}${field.name}`);
  });
}

function printed(value: unknown): string {
  if (typeof value === "boolean") return value ? "1" : "0";
  return String(value);
}

function compile(name: string, code: string): { status: number | null; stderr: string; program: string } {
  const source = join(folder, `${name}.c`);
  const program = join(folder, name);
  writeFileSync(source, code);
  const { status, stderr } = spawnSync(process.env.CC ?? "cc", [...FLAGS, source, "-o", program], {
    encoding: "utf8",
  });
  return { status, stderr, program };
}

/** A format of printf, and the cast that goes with it. */
function formatOf(value: unknown): readonly [string, string] {
  if (typeof value === "string") return ["%s", "const char *"];
  if (typeof value === "number" && !Number.isInteger(value)) return ["%.17g", "double"];
  return typeof value === "bigint" && value > 2n ** 63n - 1n ? ["%llu", "unsigned long long"] : ["%lld", "long long"];
}

describe("random structs", () => {
  for (const seed of [1, 2])
    test(`lie in C as they do here, and hold the same values (seed ${seed})`, () => {
      const structs = randomStructs(seed);
      const random = new Random(seed * 7919);
      const wanted: string[] = [];
      const body = structs.map((made) => {
        const value = valueFor(made, random) as Record<string, unknown>;
        const encoded = [...made.encode(value)].join(",");
        const lines = leaves(made.layout().fields, value, "").map(([name, leaf]) => {
          wanted.push(printed(leaf));
          const [format, cast] = formatOf(leaf);
          return `printf("${format}\\n", (${cast})s.${name});`;
        });
        return `{ static const unsigned char b[] = {${encoded}}; static struct ${made.name} s; memcpy(&s, b, sizeof s); ${lines.join(" ")} }`;
      });
      const headers = "#include <stdio.h>\n#include <string.h>";
      const [first, ...others] = structs.map((each) => ({ struct: each }));
      const declared = first.struct.toC(undefined, others);
      const code = [headers, declared, `int main(void) {\n${body.join("\n")}\nreturn 0;\n}`].join("\n\n");
      const { status, stderr, program } = compile(`seed-${seed}`, code);
      assert.equal(status, 0, stderr);
      const run = spawnSync(program, { encoding: "utf8" });
      assert.deepEqual(
        run.stdout
          .split("\n")
          .slice(0, -1)
          .map((line, i) => (typeof wanted[i] === "string" && /[.e]/.test(wanted[i]) ? String(Number(line)) : line)),
        wanted,
      );
      assert.ok(wanted.length > 500, `${wanted.length} values`);
    });

  test("a declaration that were wrong would not compile", () => {
    const code = struct({ a: shmkit.int8, b: shmkit.int32 }, { name: "Wrong" }).toC().replace("int32_t b", "int16_t b");
    assert.notEqual(compile("wrong", code).status, 0);
  });
});

test("names: those that C keeps for itself, structs without one, and the same one twice", async () => {
  const inner = (): Made => struct({ x: shmkit.int8, int: shmkit.bool }, { name: "Inner" });
  const outer = struct({
    for: inner(),
    second: inner(),
    third: struct({ y: shmkit.float16 }),
    flags: bits({ if: 1 }, shmkit.uint8),
  });
  await failsWith(() => outer.toC(), "ERR_INVALID_ARGUMENT");
  await failsWith(() => outer.toPython("a b"), "ERR_INVALID_ARGUMENT");
  const code = outer.toC("Outer");
  for (const line of [
    "struct Inner {",
    "struct Inner_2 {",
    "struct Outer_third {",
    "struct Outer_flags {",
    "  struct Inner for_; /* at 0 */",
  ])
    assert.ok(code.includes(line), `${line} in ${code}`);
  assert.equal(compile("names", `${code}int main(void) { return 0; }`).status, 0);
});

test("names that would be the same as those that C or Python keeps for itself, with a _ at their end", (context) => {
  const { int8, int16 } = shmkit;
  const named = (name: string): Made => struct({ x: int8 }, { name });
  const all = struct(
    {
      ...{ int: int8, int_: int8, int__: int16, NULL: int8, NULL_: int8, _Bool: int8, _Atomic: int16, __FILE__: int8 },
      ...{
        INT8_MAX: int8,
        SIZE_MAX: int8,
        offsetof: int8,
        class: int8,
        a: named("int"),
        b: named("int_"),
        c: named("class"),
      },
      ...{ d: named("None"), e: named("None_"), f: named("ctypes"), g: named("H"), h: named("H") },
    },
    { name: "All" },
  );
  const { status, stderr } = compile("kept", `${all.toC()}int main(void) { return 0; }`);
  assert.equal(status, 0, stderr);
  if (!hasPython(context)) return;
  const python = spawnSync("python3", ["-B", "-"], { input: all.toPython(), encoding: "utf8" });
  assert.equal(python.stderr, "");
  assert.equal(python.status, 0);
});

test("structs that are declared together are declared once each, by their own names", async () => {
  const Inner = struct({ x: shmkit.int8 });
  const Outer = struct({ first: Inner, second: Inner }, { name: "Outer" });
  const code = Outer.toC("Renamed", [{ struct: Inner, name: "Inner" }, { struct: Outer }]);
  assert.deepEqual(code.match(/^struct \w+ \{/gm), ["struct Inner {", "struct Renamed {"]);
  assert.equal(compile("together", `${code}int main(void) { return 0; }`).status, 0);
  assert.deepEqual(Outer.toPython(undefined, [{ struct: Inner, name: "Inner" }]).match(/^class \w+/gm), [
    "class Inner",
    "class Outer",
  ]);
  for (const others of [5, [Inner], [null], [{ name: "Inner" }]])
    await failsWith(() => Outer.toC("Outer", others as never), "ERR_INVALID_ARGUMENT");
  await failsWith(() => Outer.toC("Outer", [{ struct: Inner }]), "ERR_INVALID_ARGUMENT");
});

test("random structs lie in Python's ctypes as they do here, and hold the same values", (context) => {
  if (!hasPython(context)) return;
  const structs = randomStructs(3);
  const big = struct(
    { a: shmkit.int16, b: array(shmkit.float64, 2), c: string(4), d: shmkit.uint8 },
    { name: "Big", endian: "big" },
  );
  const random = new Random(17);
  const lines = [...structs, big].map((made) => {
    const encoded = Buffer.from(made.encode(valueFor(made, random) as never)).toString("hex");
    const offsets = made
      .layout()
      .fields.filter(({ bits: own }) => own === undefined)
      .map(({ name, offset }) => `${made.name}.${name}.offset == ${offset}`);
    return `${made.toPython()}\nassert ${offsets.join(" and ")}, "${made.name}"\nshow("${made.name}", ${made.name}.from_buffer_copy(bytes.fromhex("${encoded}")))`;
  });
  const show = `
def plain(value):
    if hasattr(value, "_fields_"): return {f[0]: plain(getattr(value, f[0])) for f in value._fields_ if not f[0].startswith("_gap")}
    if isinstance(value, bytes): return value.decode()
    return [plain(each) for each in value] if hasattr(value, "_length_") else str(value) if abs(value) > 2**53 else value
def show(name, value):
    import json
    print(json.dumps([name, plain(value)]))
`;
  const { status, stdout, stderr } = spawnSync("python3", ["-B", "-"], {
    input: show + lines.join("\n"),
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  const again = new Random(17);
  const wanted = [...structs, big].map((made) => {
    const json = JSON.stringify(made.decode(made.encode(valueFor(made, again) as never)), (_, value: unknown) => {
      if (value instanceof Uint8Array) return [...value];
      if (typeof value !== "bigint") return value;
      return value > 2n ** 53n || value < -(2n ** 53n) ? String(value) : Number(value);
    });
    return [made.name, JSON.parse(json) as unknown];
  });
  assert.deepEqual(
    stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown),
    wanted,
  );
});

test("groups of bit fields have the size that C gives them", () => {
  assert.ok(bits({ a: 1 }, shmkit.uint32) instanceof BitFields);
  for (const [widths, size] of [
    [{ a: 3, b: 5 }, 1],
    [{ a: 3, b: 6 }, 2],
    [{ a: 8, b: 8, c: 1 }, 3],
  ] as readonly [Record<string, number>, number][])
    assert.equal(bits(widths, shmkit.uint8).size, size);
});
