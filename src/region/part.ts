import { ArgumentError } from "../base/errors.js";
import { knownOptions, show, wholeNumber } from "../base/arguments.js";
import type { NamedObject } from "../heap/named-object.js";
import type { ObjectPlan } from "../heap/object-plan.js";
import { MAX_PARTS } from "../layout/composite.js";
import type { Kind } from "../layout/heap.js";
import type { Member } from "../members/member.js";
import type { Barrier, BarrierOptions } from "../sync/barrier.js";
import type { Condition } from "../sync/condition.js";
import type { EventOptions, SharedEvent } from "../sync/event.js";
import type { Flag } from "../sync/flag.js";
import type { Latch, LatchOptions } from "../sync/latch.js";
import type { Mutex, MutexOptions } from "../sync/mutex.js";
import type { Once } from "../sync/once.js";
import type { RateLimiter, RateLimiterOptions } from "../sync/rate-limiter.js";
import type { RwLock } from "../sync/rwlock.js";
import type { Semaphore, SemaphoreOptions } from "../sync/semaphore.js";
import type { Counter } from "../values/counter.js";
import { FACES, type KindFace } from "./kind-faces.js";

/** Any object that a composite can be made of. */
export type PartObject =
  Barrier | Condition | Counter | Flag | Latch | Mutex | Once | RateLimiter | RwLock | Semaphore | SharedEvent;

/** What a composite is to be made of: how to make each part, by its name. */
export type PartPlans = Readonly<Record<string, Part<PartObject>>>;

/** How to make one part of a composite; made by {@link part}. `O` is what it is when it is open. */
export class Part<out O extends PartObject> {
  /** What it is. */
  readonly kind: Kind;
  /** Its type when it is open; there for the compiler only. */
  declare readonly object?: O;
  /** @internal */
  readonly plan: (member: Member) => ObjectPlan;

  private constructor(kind: Kind, plan: (member: Member) => ObjectPlan) {
    this.kind = kind;
    this.plan = plan;
  }

  /** @internal */
  static of<Options extends object, O extends NamedObject & PartObject>(
    face: KindFace<Options, O>,
    options: Options | undefined,
  ): Part<O> {
    const given = { ...knownOptions(options, face.optionNames, `part ${face.kind}`) } as Options;
    return new Part(face.kind, (member) => face.plan(member, given, "create"));
  }
}

/**
 * How to make the parts of a composite, by kind: what {@link Region.composite} takes. The options are those of the objects
 * that have a name of their own.
 * @example
 * ```ts
 * import { open, part } from "shmkit";
 *
 * const app = await open("api-part");
 * const { parts } = await app.composite("door", { key: part.mutex({ words: 0 }), opened: part.counter() });
 * const guard = await parts.key.lock();
 * await parts.opened.add(1);
 * guard.release();
 * console.log(parts.key.address, parts.opened.value); // api-part/door.key 1n
 * await app.close();
 * ```
 */
export const part = {
  /** A {@link Mutex}. @throws ERR_UNKNOWN_OPTION, ERR_INVALID_ARGUMENT */
  mutex: (options?: MutexOptions): Part<Mutex> => Part.of(FACES.mutex, options),
  /** A {@link Semaphore}. Errors as mutex. */
  semaphore: (options?: SemaphoreOptions): Part<Semaphore> => Part.of(FACES.semaphore, options),
  /** A {@link Condition}. */
  condition: (): Part<Condition> => Part.of(FACES.condition, undefined),
  /** A {@link RwLock}. */
  rwlock: (): Part<RwLock> => Part.of(FACES.rwlock, undefined),
  /** A {@link SharedEvent}. Errors as mutex. */
  event: (options?: EventOptions): Part<SharedEvent> => Part.of(FACES.event, options),
  /** A {@link Barrier}. Errors as mutex. */
  barrier: (options?: BarrierOptions): Part<Barrier> => Part.of(FACES.barrier, options),
  /** A {@link Latch}. Errors as mutex. */
  latch: (options?: LatchOptions): Part<Latch> => Part.of(FACES.latch, options),
  /** An {@link Once}. */
  once: (): Part<Once> => Part.of(FACES.once, undefined),
  /** A {@link Flag}. */
  flag: (): Part<Flag> => Part.of(FACES.flag, undefined),
  /** A {@link Counter}. */
  counter: (): Part<Counter> => Part.of(FACES.counter, undefined),
  /** A {@link RateLimiter}. Errors as mutex. */
  rateLimiter: (options?: RateLimiterOptions): Part<RateLimiter> => Part.of(FACES.rateLimiter, options),
} as const;

/** The plans of the parts that a caller gave. @throws ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE, ERR_INVALID_NAME */
export function planParts(member: Member, parts: unknown): Map<string, ObjectPlan> {
  if (typeof parts !== "object" || parts === null || Array.isArray(parts))
    throw new ArgumentError("ERR_INVALID_ARGUMENT", `parts must be an object of parts by name, not ${show(parts)}`, {
      actual: parts,
    });
  const given = Object.entries(parts) as [string, unknown][];
  wholeNumber(given.length, "the number of parts", 1, MAX_PARTS);
  return new Map(given.map(([name, one]) => [partName(name), planOf(member, name, one)]));
}

/** The rest of what a name must be is checked with that of the composite before it. */
function partName(name: string): string {
  if (name !== "" && !name.includes(".")) return name;
  throw new ArgumentError("ERR_INVALID_NAME", `the name ${show(name)} of a part must not be empty nor have a dot`, {
    actual: name,
  });
}

function planOf(member: Member, name: string, one: unknown): ObjectPlan {
  if (one instanceof Part) return one.plan(member);
  throw new ArgumentError(
    "ERR_INVALID_ARGUMENT",
    `the part ${name} must be made by part.mutex() and its like, and is ${show(one)}`,
    { actual: one },
  );
}
