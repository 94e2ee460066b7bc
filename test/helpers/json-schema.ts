/** A schema as JSON Schema 2020-12 has it, as far as ours use it. */
export interface Schema {
  readonly [keyword: string]: unknown;
}

type Check = (value: unknown, keyword: never, schema: Schema, root: Schema, at: string) => string[];

const typeOf = (value: unknown): string => (value === null ? "null" : Array.isArray(value) ? "array" : typeof value);
const isObject = (value: unknown): value is Record<string, unknown> => typeOf(value) === "object";

function hasType(value: unknown, type: string): boolean {
  return type === "integer" ? Number.isInteger(value) : typeOf(value) === type;
}

/** What each keyword asks for; a keyword that is not here is an error, so that none is taken for checked. */
const CHECKS: Readonly<Record<string, Check>> = {
  $schema: () => [],
  $defs: () => [],
  title: () => [],
  description: () => [],
  $ref: (value, reference: string, _schema, root, at) => problems(value, resolve(reference, root), root, at),
  anyOf: (value, schemas: readonly Schema[], _schema, root, at) =>
    schemas.some((schema) => problems(value, schema, root, at).length === 0) ? [] : [`${at} is none of what it may be`],
  type: (value, types: string | readonly string[], _schema, _root, at) =>
    [types].flat().some((type) => hasType(value, type)) ? [] : [`${at} is ${typeOf(value)}, not ${String(types)}`],
  enum: (value, values: readonly unknown[], _schema, _root, at) =>
    values.includes(value) ? [] : [`${at} is ${JSON.stringify(value)}, none of ${values.join(", ")}`],
  pattern: (value, pattern: string, _schema, _root, at) =>
    typeof value !== "string" || new RegExp(pattern, "u").test(value) ? [] : [`${at} does not match ${pattern}`],
  required: (value, names: readonly string[], _schema, _root, at) =>
    isObject(value) ? names.filter((name) => !Object.hasOwn(value, name)).map((name) => `${at} lacks ${name}`) : [],
  properties: (value, schemas: Readonly<Record<string, Schema>>, _schema, root, at) =>
    isObject(value)
      ? Object.entries(schemas).flatMap(([name, schema]) =>
          Object.hasOwn(value, name) ? problems(value[name], schema, root, `${at}.${name}`) : [],
        )
      : [],
  additionalProperties: (value, allowed: boolean, { properties }, _root, at) =>
    isObject(value) && !allowed
      ? Object.keys(value)
          .filter((name) => !Object.hasOwn(properties as object, name))
          .map((name) => `${at} has ${name}, which is not described`)
      : [],
  items: (value, schema: Schema, _schema, root, at) =>
    Array.isArray(value) ? value.flatMap((item, index) => problems(item, schema, root, `${at}[${index}]`)) : [],
};

function resolve(reference: string, root: Schema): Schema {
  const [, name] = /^#\/\$defs\/(\w+)$/.exec(reference) ?? [];
  const found = (root["$defs"] as Readonly<Record<string, Schema>>)[name ?? ""];
  if (found === undefined) throw new Error(`the schema has no ${reference}`);
  return found;
}

/** What is wrong with a value, by the schema. @throws for a keyword that is not known here */
export function problems(value: unknown, schema: Schema, root: Schema = schema, at = "$"): string[] {
  return Object.entries(schema).flatMap(([keyword, argument]) => {
    if (!Object.hasOwn(CHECKS, keyword)) throw new Error(`the keyword ${keyword} is not checked`);
    return CHECKS[keyword](value, argument as never, schema, root, at);
  });
}
