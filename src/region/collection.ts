import { setImmediate as nextTurn } from "node:timers/promises";
import { flag, knownOptions, objectName } from "../base/arguments.js";
import { INSPECTED, shown } from "../base/inspection.js";
import { onlyWaitOptions, remainingOf, WAIT_OPTIONS, type WaitOptions } from "../base/deadline.js";
import type { OpenMode } from "../heap/directory.js";
import type { ObjectPlan } from "../heap/object-plan.js";
import type { NamedObject, ObjectContext } from "../heap/named-object.js";
import type { Waitable } from "../members/waits.js";
import type { KindFace } from "./kind-faces.js";

/** Options of `open` on a kind of object. */
export interface OpenOptions extends WaitOptions {
  /** Wait for the name to appear. Default false. */
  wait?: boolean;
}

/** What a collection needs from its region. */
export interface CollectionHost {
  readonly context: ObjectContext;
  check(): void;
}

/**
 * The objects of one kind in a region: `create` (must not exist), `open` (must), `openOrCreate`, `remove`, `list`. A name
 * is 1 to 120 bytes of UTF-8 without `/` and control characters, and not `.` or `..`; all kinds share the names of a region,
 * with the parts of composites, which are listed and opened as well, by `COMPOSITE.PART`, and only removed with the whole.
 * Opening a name twice gives the same handle.
 * @example
 * ```ts
 * import { open } from "shmkit";
 *
 * const app = await open("api-collection");
 * await app.counters.create("visits"); // ERR_EXISTS if there is one
 * const visits = await app.counters.open("visits"); // ERR_NOT_FOUND if there is none
 * await visits.add(2);
 * console.log(app.counters.list(), await app.counters.remove("visits")); // [ 'visits' ] true
 * await app.close();
 * ```
 */
export class Collection<Options extends object, O extends NamedObject> {
  /** @internal */
  constructor(
    private readonly host: CollectionHost,
    private readonly face: KindFace<Options, O>,
  ) {}

  /** @internal */
  [INSPECTED](): string {
    return shown(this, this.host.context.member.regionName, this.face.kind);
  }

  /**
   * Makes an object.
   * @throws ERR_EXISTS, ERR_INVALID_NAME, ERR_UNKNOWN_OPTION, ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE,
   * ERR_REGION_FULL, ERR_NO_SPACE, ERR_TIMEOUT, the signal's reason, ERR_CLOSED, ERR_REGION_LOST
   */
  create(name: string, options?: Options & WaitOptions): Promise<O> {
    return this.async(name, "create", options);
  }
  /** {@link create}, blocking the thread. */
  createSync(name: string, options?: Options & WaitOptions): O {
    return this.sync(name, "create", options);
  }

  /** Opens an existing object. @throws ERR_NOT_FOUND (unless told to wait), ERR_WRONG_KIND, and as {@link create} for its name and waiting */
  open(name: string, options?: OpenOptions): Promise<O> {
    return this.async(name, "open", options as (Options & OpenOptions) | undefined);
  }
  /** {@link open}, blocking the thread. */
  openSync(name: string, options?: OpenOptions): O {
    return this.sync(name, "open", options as (Options & OpenOptions) | undefined);
  }

  /** Opens an object, or makes it if there is none. @throws ERR_OPTIONS_DIFFER, ERR_WRONG_KIND, and as {@link create} except for ERR_EXISTS */
  openOrCreate(name: string, options?: Options & WaitOptions): Promise<O> {
    return this.async(name, "openOrCreate", options);
  }
  /** {@link openOrCreate}, blocking the thread. */
  openOrCreateSync(name: string, options?: Options & WaitOptions): O {
    return this.sync(name, "openOrCreate", options);
  }

  /** Removes an object; who has it open gets ERR_CLOSED from the next call on. Resolves to false when there was none. @throws ERR_WRONG_KIND, ERR_TIMEOUT */
  async remove(name: string, options?: WaitOptions): Promise<boolean> {
    this.host.check();
    const removing = this.host.context.directory.removing(objectName(name), this.face.kind);
    return this.host.context.waits.async(removing, onlyWaitOptions(options, `${this.face.kind} remove`));
  }
  /** {@link remove}, blocking the thread. */
  removeSync(name: string, options?: WaitOptions): boolean {
    this.host.check();
    const removing = this.host.context.directory.removing(objectName(name), this.face.kind);
    return this.host.context.waits.sync(removing, onlyWaitOptions(options, `${this.face.kind} removeSync`));
  }

  /** Names of the objects of this kind, in the order of their making where places were not reused. */
  list(): string[] {
    this.host.check();
    const names = this.host.context.directory.list(this.face.kind).map(({ name }) => name);
    // Read from memory that went away meanwhile, it would be empty.
    this.host.check();
    return names;
  }

  private prepare(
    name: string,
    mode: OpenMode,
    options: (Options & OpenOptions) | undefined,
  ): { plan: ObjectPlan; wait: boolean; own: Options } {
    this.host.check();
    objectName(name);
    const names = mode === "open" ? ["wait", ...this.face.handleOptionNames] : this.face.optionNames;
    const {
      timeoutMs: _timeoutMs,
      signal: _signal,
      wait,
      ...rest
    } = knownOptions(options, [...names, ...WAIT_OPTIONS], `${this.face.kind} ${mode}`);
    const own = rest as unknown as Options;
    return { plan: this.face.plan(this.host.context.member, own, mode), wait: flag(wait, "wait"), own };
  }

  private opening(
    name: string,
    mode: OpenMode,
    options: (Options & OpenOptions) | undefined,
  ): { opening: Waitable<O>; readying: Waitable<boolean> | undefined } {
    const { plan, wait, own } = this.prepare(name, mode, options);
    const { directory } = this.host.context;
    const opening = directory.opening(name, plan, mode, wait, (ref) => {
      const handle = this.host.context.handle(ref, () => new this.face.make(this.host.context, ref, own));
      handle.checkReopened(own);
      return handle;
    });
    return { opening, readying: directory.readying(name, plan, mode) };
  }

  private async async(name: string, mode: OpenMode, options?: Options & OpenOptions): Promise<O> {
    const { waits } = this.host.context;
    const { opening, readying } = this.opening(name, mode, options);
    if (readying === undefined) return waits.async(opening, options);
    const wait = remainingOf(options);
    while (!(await waits.async(readying, wait()))) await nextTurn();
    return waits.async(opening, wait());
  }

  private sync(name: string, mode: OpenMode, options?: Options & OpenOptions): O {
    const { waits } = this.host.context;
    const { opening, readying } = this.opening(name, mode, options);
    if (readying === undefined) return waits.sync(opening, options);
    const wait = remainingOf(options);
    while (!waits.sync(readying, wait()));
    return waits.sync(opening, wait());
  }
}
