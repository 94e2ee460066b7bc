import { INSPECTED, shown } from "../base/inspection.js";
import { ShmkitError } from "../base/errors.js";
import { native } from "../native/addon.js";
import type { HeapStatistics } from "../heap/page-heap.js";
import type { Segment } from "../memory/segment.js";
import type { MemberInfo } from "../members/member-info.js";
import { APPEAR_MS, checkOwner, compare, TRUST } from "./attach.js";
import type { LifetimeName } from "./geometry.js";
import type { Place } from "./names.js";
import type { CheckedOptions } from "./options.js";
import { anybodyAlive } from "../memory/attach-lock.js";
import { openFile } from "./region-file.js";
import {
  memoryOption,
  viewOf,
  type InspectOptions,
  type ObjectInfo,
  type RegionInfo,
  type RegionView,
} from "./snapshot.js";
import type { Steps } from "../memory/steps.js";

/**
 * A region that is only looked at: what `Region.open(name, { access: "read" })` gives. It is no member, so it takes no slot, waits for
 * nobody, and needs nothing but permission to read the file; the region does not stay for its sake. All that it tells is read
 * from the shared memory at the time of the call, without locks. What would change something is not there, and ERR_READ_ONLY for
 * callers from JavaScript.
 * @see [Only looking](../../docs/guide/regions.md#only-looking)
 * @example
 * ```ts
 * import { open, Region } from "shmkit";
 *
 * const app = await open("api-reader", { size: "1MiB" });
 * const visits = await app.counter("visits");
 * const reader = await Region.open("api-reader", { access: "read" });
 * await visits.add(2);
 * console.log(reader.object("visits")?.value, reader.members().length); // 2n 1
 * await app.close();
 * console.log(reader.ended); // true
 * reader.close();
 * ```
 */
export class RegionReader implements Disposable {
  /** Its name, as given to `Region.open`. */
  readonly name: string;
  /** Path of its file. */
  readonly path: string;
  /** When it ends: as its creator said. */
  readonly lifetime: LifetimeName;
  /** When its creator made it, by the system's clock. */
  readonly createdAt: Date;
  /** Random number of this region, in hexadecimal: tells it from an earlier one of the same name. */
  readonly epoch: string;
  private readonly view: RegionView;
  private closed = false;
  private raw: Segment | undefined;

  /** @internal */
  constructor(place: Place, view: RegionView) {
    this.name = place.name;
    this.path = place.path;
    this.lifetime = view.header.lifetime;
    this.createdAt = view.header.createdAt;
    this.epoch = view.header.epoch;
    this.view = view;
  }

  /** @internal */
  [INSPECTED](): string {
    return shown(this, this.name, this.closed ? "closed" : "");
  }

  /** What was read from memory that went away meanwhile does not count. */
  private read<T>(look: (view: RegionView) => T): T {
    if (this.closed)
      throw new ShmkitError("ERR_CLOSED", `the reader of ${this.name} is closed; open it again`, { path: this.name });
    const seen = look(this.view);
    this.view.checkNotLost();
    return seen;
  }

  /** Bytes backed for objects and messages now. @throws ERR_CLOSED, ERR_REGION_LOST */
  get sizeBytes(): number {
    return this.statistics().committedBytes;
  }

  /** Where the memory goes. @throws ERR_CLOSED, ERR_REGION_LOST */
  statistics(): HeapStatistics {
    return this.read((view) => view.statistics());
  }

  /** Who is attached, by slot: the dead as well, as long as nobody has recovered them. @throws ERR_CLOSED, ERR_REGION_LOST */
  members(): MemberInfo[] {
    return this.read((view) => view.members());
  }

  /**
   * One object: the value of a counter or flag, the depth and figures of a pipe, who has a lock and who waits for it. Undefined
   * when there is none of that name.
   * @throws ERR_CLOSED, ERR_REGION_LOST, ERR_CORRUPT
   */
  object(name: string): ObjectInfo | undefined {
    return this.read((view) => view.object(name));
  }

  /** Everything at once, as `Region.inspect` gives it. @throws ERR_CLOSED, ERR_REGION_LOST, ERR_CORRUPT, ERR_UNKNOWN_OPTION */
  info(options?: InspectOptions): RegionInfo {
    const withMemory = memoryOption(options, "info");
    return this.read((view) => view.info(withMemory));
  }

  /** Whether nobody can join any more: the region was closed by its last member, or removed. @throws ERR_CLOSED, ERR_REGION_LOST */
  get ended(): boolean {
    return this.read((view) => view.isClosed);
  }

  /**
   * The region's bytes, as they are now and will be: for tools and experts; docs/layout.md says what is where. What is written to
   * them reaches nobody, and the page that it is written to no longer follows the region. Bytes beyond what is backed must
   * not be touched. Reads zeroes after `close()`.
   * @throws ERR_CLOSED, ERR_REGION_LOST, ERR_RUNTIME_LIMIT
   */
  get buffer(): ArrayBufferLike {
    return this.read((view) => (this.raw ??= view.map())).bytes.buffer;
  }

  /** Ends the looking. Idempotent. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.raw?.close();
    this.view.close();
  }

  /** {@link close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/** Opens a region for looking at it. One that has ended or that nobody alive uses is none; whoever may write takes its name away. */
export function* openReader(place: Place, options: CheckedOptions): Steps<RegionReader> {
  const { name, path } = place;
  for (;;) {
    const descriptor = openFile(place, false);
    const view = descriptor === undefined ? undefined : lookInside(place, descriptor, options);
    if (view !== undefined) return new RegionReader(place, view);
    if (!options.wait)
      throw new ShmkitError("ERR_NOT_FOUND", `there is no region ${name}; a reader makes none`, { path });
    yield { delayMs: APPEAR_MS };
  }
}

function lookInside(place: Place, descriptor: number, options: CheckedOptions): RegionView | undefined {
  const view = viewOf(place, descriptor, "whole");
  try {
    checkOwner(descriptor, place.path, place.name, options.allowOtherUser, TRUST);
    compare(view.header, options, place.name, place.path);
    const { closed, lifetime } = view.header;
    const isThere = !closed && native.sameFile(place.path, descriptor) === 1;
    if (isThere && (lifetime !== "process" || anybodyAlive(descriptor))) return view;
  } catch (error) {
    view.close();
    throw error;
  }
  view.close();
  return undefined;
}

/** Names what a region can do and a reader cannot, so that callers whom no type tells get a typed error. */
export function refuseTheRest(names: readonly string[]): void {
  for (const name of names) {
    if (name in RegionReader.prototype) continue;
    Object.defineProperty(RegionReader.prototype, name, {
      get(this: RegionReader): never {
        throw new ShmkitError(
          "ERR_READ_ONLY",
          `${this.name} was opened for reading only, which has no ${name}; open it without access: "read"`,
          {
            path: this.name,
          },
        );
      },
    });
  }
}
