import type { Member } from "../members/member.js";
import type { PageHeap } from "./page-heap.js";

/** Where an object is, for whoever has no handle of it: a recoverer, a sweeper, an onlooker. */
export interface ObjectPlace {
  readonly member: Member;
  readonly heap: PageHeap;
  /** First page of its block. */
  readonly page: number;
  /** Word index of its block. */
  readonly base: number;
  /** `REGION/NAME`, for messages. */
  readonly address: string;
}

/** An operation that its member was cut off in, from its operation record. */
export interface CutOff {
  readonly code: number;
  readonly phase: number;
  /** Low four bits of the counter given to `critical`. */
  readonly nibble: number;
}

/**
 * What is to be known of a kind of object beside its handle, told from its memory alone. Every step may be repeated, since
 * its doer may die as well; and what it reads may be corrupt.
 */
export interface ObjectKind<Facts extends object = object> {
  /** Whether an operation on the object took effect. The object is as the member of the slot left it. */
  tookEffect(place: ObjectPlace, slot: number, operation: CutOff): boolean;
  /** Undoes what a dead member had begun in the object, and gives back what it held. Not its bits in the sets. */
  release(place: ObjectPlace, slot: number): void;
  /**
   * The same for the calling member, which is alive and was cut off: what it holds stays. `operation` is what it was cut
   * off in, if that concerned this object. Answers whether the handle has to be told that what it was about to hold is gone.
   */
  releaseOwn(place: ObjectPlace, operation: CutOff | undefined): boolean;
  /** The member sets in the object. */
  sets(place: ObjectPlace): readonly number[];
  /** Whether a block belongs to the object for good: then the ledger of whoever died in adding it does not own it any more. */
  holds?(place: ObjectPlace, page: number): boolean;
  /** Frees what the object holds beside its block, before that goes. */
  empty?(place: ObjectPlace): void;
  /** How it is, for an onlooker. */
  facts(place: ObjectPlace): Facts;
}
