import * as words from "#words";
import { ShmkitError } from "../base/errors.js";
import { INSPECTED, shown } from "../base/inspection.js";
import { DIRECTORY_ENTRY, EntryState } from "../layout/heap.js";
import { PAGE_BYTES } from "../layout/region-header.js";
import type { Member } from "../members/member.js";
import type { Waits } from "../members/waits.js";
import type { Directory } from "./directory.js";
import type { ObjectRef } from "./object-plan.js";
import { PAGE_WORDS, type PageHeap } from "./page-heap.js";

/** What every kind of object works with. */
export interface ObjectContext {
  readonly member: Member;
  readonly heap: PageHeap;
  readonly directory: Directory;
  readonly waits: Waits;
  /** Takes a handle off the region's books when it is given up. */
  forget(object: NamedObject): void;
  /** The handle of an object, made at most once per object and region handle. */
  handle<O extends NamedObject>(ref: ObjectRef, make: () => O): O;
}

/** An open named object: this member's bit is in its openers until `detach()` or the region's end. */
export abstract class NamedObject {
  /** Name within the region. */
  readonly name: string;
  /** @internal */
  readonly ref: ObjectRef;
  protected readonly context: ObjectContext;
  protected readonly member: Member;
  protected readonly words: Int32Array;
  /** Word index and byte offset of the object. */
  protected readonly base: number;
  protected readonly baseBytes: number;
  protected readonly entry: number;
  private readonly stateWord: number;
  private attached = true;
  private givenUp = false;

  /** @internal */
  constructor(context: ObjectContext, ref: ObjectRef) {
    this.context = context;
    this.ref = ref;
    this.name = ref.name;
    this.member = context.member;
    this.words = context.member.segment.words;
    this.base = ref.page * PAGE_WORDS;
    this.baseBytes = ref.page * PAGE_BYTES;
    this.entry = ref.entry;
    // That of a part's composite, which tells of both whether they were removed.
    this.stateWord =
      context.directory.entryWord(ref.parent < 0 ? ref.entry : ref.parent) + (DIRECTORY_ENTRY.at.state >> 2);
  }

  /** `REGION/NAME`. */
  get address(): string {
    return `${this.member.regionName}/${this.name}`;
  }

  /** Whether the object's memory can be touched: removed objects stay until the last handle is given up. */
  protected get isAttached(): boolean {
    return this.attached && !this.member.closed;
  }

  /** @throws ERR_CLOSED, ERR_REGION_LOST */
  protected check(): void {
    if (!this.attached || !this.isLive) this.refuse();
  }

  /** Whether nobody has removed it. A closed region reads as zeroes, where nothing is live. */
  protected get isLive(): boolean {
    return words.load(this.words, this.stateWord) === EntryState.live;
  }

  /** For giving back, which goes on after the object was removed. @throws ERR_CLOSED, ERR_REGION_LOST */
  protected checkAttached(): void {
    if (!this.isAttached) this.refuse();
    this.member.checkUsable();
  }

  private refuse(): never {
    if (!this.attached || this.member.closed)
      throw new ShmkitError("ERR_CLOSED", `${this.address} is closed here; open it again`, { path: this.address });
    this.member.checkUsable();
    throw new ShmkitError("ERR_CLOSED", `${this.address} was removed; create it again`, { path: this.address });
  }

  /** Gives this handle up; the object itself stays. Using the handle afterwards is ERR_CLOSED. Idempotent. */
  detach(): void {
    if (this.givenUp) return;
    if (this.member.closed || this.member.segment.lost) {
      this.attached = false;
      this.givenUp = true;
      return;
    }
    if (this.attached) this.leaveWaits();
    // Unusable first, then out of the openers; cut off in between, giving up can be repeated.
    this.attached = false;
    this.context.forget(this);
    this.context.directory.detach(this.entry, this.ref.generation);
    this.givenUp = true;
  }

  /** {@link detach} where the block ends: `using jobs = await app.pipe("jobs")`. */
  [Symbol.dispose](): void {
    this.detach();
  }

  /** @internal How it is now, `statistics()` says. */
  [INSPECTED](): string {
    const removed = (): string => (this.isLive ? "" : "removed");
    return shown(this, this.address, this.isAttached ? removed() : "closed");
  }

  private leaveWaits(): void {
    const givenUp = (): ShmkitError =>
      new ShmkitError("ERR_CLOSED", `${this.address} was given up while waiting`, { path: this.address });
    this.context.waits.rejectOf(this, givenUp);
    this.finishInterrupted();
    this.beforeDetach();
  }

  /**
   * What a vm timeout cut off in this thread is recovered, and gives back what it had taken: before a look at what this
   * thread has. Not amid an operation.
   */
  protected finishInterrupted(): void {
    if (this.member.inOperation) this.member.onInterrupted();
  }

  /** @internal The operation that was to take or release something was cut off, and recovery has given that back. */
  forgetHeld(): void {
    return;
  }

  /** @internal Opened again with these options. @throws ERR_OPTIONS_DIFFER if this handle cannot have them */
  checkReopened(_options: object): void {
    return;
  }

  /** What a kind gives back before it is detached. */
  protected beforeDetach(): void {
    return;
  }
}
