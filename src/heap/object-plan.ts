import { ShmkitError } from "../base/errors.js";
import type { Kind } from "../layout/heap.js";

/** A named object found or made. */
export interface ObjectRef {
  readonly kind: Kind;
  /** Of a part: that of its composite, a dot, and its own. */
  readonly name: string;
  readonly entry: number;
  readonly generation: number;
  readonly page: number;
  readonly options: readonly number[];
  readonly createdAt: Date;
  readonly created: boolean;
  /** Of a part: entry of its composite; else -1. */
  readonly parent: number;
  /** Of a composite: its parts, in the order in which they were given. */
  readonly parts: readonly ObjectRef[];
}

/** How to make an object of a kind. */
export interface ObjectPlan {
  readonly kind: Kind;
  readonly sizeBytes: number;
  /** How many bytes of it have to be zero at first. Default: all. */
  readonly zeroBytes?: number;
  /** Stored, and compared with an existing object's where `given` says so. */
  readonly options: readonly number[];
  readonly given: readonly boolean[];
  readonly optionNames: readonly string[];
  /** Of a composite: its parts by name. Undefined to open what there is. */
  readonly parts?: ReadonlyMap<string, ObjectPlan>;
  /** Writes the object into its block, which is zero as far as it has to be. `parts`: directory entries of its parts. */
  init(page: number, parts: readonly number[]): void;
}

/** A part's own name: what comes behind the last dot, since there is none in it. */
export const partName = ({ name }: Pick<ObjectRef, "name">): string => name.slice(name.lastIndexOf(".") + 1);

/** Refuses an object that is not as planned. @throws ERR_WRONG_KIND, ERR_OPTIONS_DIFFER */
export function checkAsPlanned(found: ObjectRef, plan: ObjectPlan, region: string): void {
  const path = `${region}/${found.name}`;
  if (found.kind !== plan.kind)
    throw new ShmkitError("ERR_WRONG_KIND", `${path} is a ${found.kind}, not a ${plan.kind}`, {
      path,
      expected: plan.kind,
      actual: found.kind,
    });
  const whole = found.parent < 0 ? found.kind : "composite";
  plan.given.forEach((given, i) => {
    if (given && found.options[i] !== plan.options[i])
      throw new ShmkitError(
        "ERR_OPTIONS_DIFFER",
        `${path} exists with ${plan.optionNames[i]} ${found.options[i]}, not ${plan.options[i]}; leave the option out or remove the ${whole}`,
        { path, expected: plan.options[i], actual: found.options[i] },
      );
  });
  if (plan.parts !== undefined) checkParts(found.parts, plan.parts, region, path);
}

function checkParts(
  found: readonly ObjectRef[],
  plans: ReadonlyMap<string, ObjectPlan>,
  region: string,
  path: string,
): void {
  const names = found.map(partName);
  const missing = [...plans.keys()].find((name) => !names.includes(name));
  const unknown = names.find((name) => !plans.has(name));
  if (missing !== undefined || unknown !== undefined) {
    const difference = missing === undefined ? `has a part more, ${unknown}` : `has no part ${missing}`;
    throw new ShmkitError(
      "ERR_OPTIONS_DIFFER",
      `${path} exists and ${difference}: its parts are ${names.join(", ")}; name these, open it without naming any, or remove it`,
      { path, expected: [...plans.keys()], actual: names },
    );
  }
  for (const part of found) checkAsPlanned(part, plans.get(partName(part))!, region);
}
