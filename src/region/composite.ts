import { ArgumentError } from "../base/errors.js";
import type { WaitOptions } from "../base/deadline.js";
import { NamedObject, type ObjectContext } from "../heap/named-object.js";
import { partName, type ObjectPlan, type ObjectRef } from "../heap/object-plan.js";
import { writeParts } from "../heap/parts.js";
import type { OpenMode } from "../heap/directory.js";
import { COMPOSITE_BYTES } from "../layout/composite.js";
import type { Member } from "../members/member.js";
import type { Collection, OpenOptions } from "./collection.js";
import { FACES, face } from "./kind-faces.js";
import { planParts, type Part, type PartObject, type PartPlans } from "./part.js";

/** The open parts of a composite, by name. */
export type PartsOf<P extends PartPlans> = {
  readonly [Name in keyof P]: P[Name] extends Part<infer O> ? O : never;
};

/** What a composite is made of. */
export interface CompositeOptions<P extends PartPlans = PartPlans> {
  /** Its parts by name, 1 to 64. A name has no dot, and with that of the composite and a dot at most 120 bytes. */
  parts: P;
}

/** @internal */
function compositePlan(member: Member, { parts }: Partial<CompositeOptions>, mode: OpenMode): ObjectPlan {
  if (parts === undefined && mode !== "open")
    throw new ArgumentError("ERR_INVALID_ARGUMENT", "parts must be given: what is the composite to be made of?");
  return {
    kind: "composite",
    sizeBytes: COMPOSITE_BYTES,
    options: [],
    given: [],
    optionNames: [],
    ...(parts === undefined ? {} : { parts: planParts(member, parts) }),
    init: (page, entries) => writeParts(member.segment, page, entries),
  };
}

/**
 * Several objects under one name, as C puts a mutex, conditions and data in one struct: they are made, opened and removed
 * together, and nobody ever sees some of them only. Each is the same object as one with a name of its own, deaths and
 * deadlocks included; the part `lock` of `trace` is called `trace.lock`, in messages and for whoever opens it by itself.
 * @see pthread_mutexattr_setpshared(3); [composites](../../docs/guide/synchronisation.md#composites)
 * @example
 * ```ts
 * import { open, part } from "shmkit";
 *
 * const app = await open("api-composite");
 * const buffer = await app.composite("buffer", {
 *   lock: part.mutex({ words: 2 }),
 *   notEmpty: part.condition(),
 *   taken: part.counter(),
 * });
 * const { lock, notEmpty, taken } = buffer.parts; // a Mutex, a Condition and a Counter
 * const guard = await lock.lock();
 * guard.set(0, 71);
 * notEmpty.notifyOne();
 * guard.release();
 * await taken.add(1);
 * console.log(lock.address, await app.composites.remove("buffer")); // api-composite/buffer.lock true
 * await app.close();
 * ```
 */
export class Composite<P extends PartPlans = PartPlans> extends NamedObject {
  /** Its parts, open, by name. */
  readonly parts: PartsOf<P>;

  /** @internal */
  constructor(context: ObjectContext, ref: ObjectRef) {
    super(context, ref);
    this.parts = this.handles();
  }

  private handles(): PartsOf<P> {
    const parts = this.ref.parts.map((ref) => [partName(ref), this.partHandle(ref)] as const);
    return Object.freeze(Object.fromEntries(parts)) as PartsOf<P>;
  }

  private partHandle(ref: ObjectRef): NamedObject {
    const known = PART_FACES.find(({ kind }) => kind === ref.kind);
    if (known === undefined) throw this.context.directory.corrupt(ref.entry);
    return this.context.handle(ref, () => new known.make(this.context, ref, {}));
  }

  /** @internal Parts that were given up by themselves are open again. */
  override checkReopened(): void {
    (this as { parts: PartsOf<P> }).parts = this.handles();
  }

  /** Gives this handle and those of its parts up; the object itself stays. Using them afterwards is ERR_CLOSED. Idempotent. */
  override detach(): void {
    for (const part of Object.values<PartObject>(this.parts)) part.detach();
    super.detach();
  }
}

const PART_FACES = [
  FACES.mutex,
  FACES.semaphore,
  FACES.condition,
  FACES.rwlock,
  FACES.event,
  FACES.barrier,
  FACES.latch,
  FACES.once,
  FACES.flag,
  FACES.counter,
  FACES.rateLimiter,
];

/** How composites are planned and made. */
export const COMPOSITE_FACE = face<CompositeOptions, Composite>("composite", Composite, compositePlan, [], ["parts"]);

/**
 * The composites of a region. To open one, its parts need not be told; if they are, others are an error that names the
 * difference: ERR_OPTIONS_DIFFER, or ERR_WRONG_KIND.
 */
export interface CompositeCollection extends Collection<CompositeOptions, Composite> {
  create<P extends PartPlans>(name: string, options?: CompositeOptions<P> & WaitOptions): Promise<Composite<P>>;
  createSync<P extends PartPlans>(name: string, options?: CompositeOptions<P> & WaitOptions): Composite<P>;
  open<P extends PartPlans>(name: string, options?: Partial<CompositeOptions<P>> & OpenOptions): Promise<Composite<P>>;
  openSync<P extends PartPlans>(name: string, options?: Partial<CompositeOptions<P>> & OpenOptions): Composite<P>;
  openOrCreate<P extends PartPlans>(name: string, options?: CompositeOptions<P> & WaitOptions): Promise<Composite<P>>;
  openOrCreateSync<P extends PartPlans>(name: string, options?: CompositeOptions<P> & WaitOptions): Composite<P>;
}
