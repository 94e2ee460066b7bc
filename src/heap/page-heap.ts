import * as words from "#words";
import { ShmkitError } from "../base/errors.js";
import { ERRNO, systemError } from "../base/system-errors.js";
import { native } from "../native/addon.js";
import {
  MAX_RUN_PAGES,
  packRun,
  PAGE_MAP_BYTES,
  runOwner,
  runPages,
  runPunched,
  RunState,
  runState,
} from "../layout/heap.js";
import { PAGE_BYTES } from "../layout/region-header.js";
import { tell } from "../members/diagnostics.js";
import { ringAll } from "../members/doorbell.js";
import { NO_ENTRY, Op } from "../layout/member-slot.js";
import type { Member } from "../members/member.js";
import type { LocalQueue, Waitable } from "../members/waits.js";
import { HEADER } from "../members/region-words.js";
import { blockedOnLock, isFree, lockWaiters, tryLock, unlock } from "../locking/robust-lock.js";

/** Words of a page: word index of page p is p * PAGE_WORDS. */
export const PAGE_WORDS = PAGE_BYTES / 4;
/** Growth is backed in steps of at most this many pages (16 MiB), so that no step holds the heap lock for long. */
const GROWTH_STEP_PAGES = 4096;
const SMALLEST_GROWTH_PAGES = 256;

/** What {@link PageHeap.allocate} answers when it cannot allocate now. */
export const HeapAnswer = { lockBusy: -1, full: -2, noSpace: -3 } as const;

/** Far from those of other pages: what refers to another page, but for its generation, is damaged. */
const firstGeneration = (page: number): number => Math.imul(page, 0x9e3779b1);

export const pagesFor = (bytes: number): number => Math.ceil(bytes / PAGE_BYTES);

/** How much of a punched run is backed again: of one that was like that. */
interface Backing {
  page: number;
  run: number;
  generation: number;
  pages: number;
}

/** Figures of the heap, read without the lock. */
export interface HeapStatistics {
  /** Bytes backed for objects and messages now. */
  readonly committedBytes: number;
  /** Bytes of these that nobody uses. */
  readonly freeBytes: number;
  /** Pieces of memory in use: objects, and messages that are too long for their pipe's ring. */
  readonly usedBlocks: number;
  /** Bytes of the largest piece that can be had without growing. */
  readonly largestFreeBytes: number;
}

/**
 * Allocates runs of pages. The heap is tiled by runs; allocating, splitting, merging and freeing each become true by one
 * store to the entry of one head, so that whoever dies here leaves a valid tiling behind. Ownership and allocation are the
 * same store. Only allocation takes the heap lock: a used run belongs to its owner, who frees it by one store.
 */
export class PageHeap {
  /** Pages of the free run that ends at the end, as the last search found it. */
  private tailPages = 0;

  constructor(private readonly member: Member) {}

  private entry(page: number): number {
    return (this.member.geometry.pageMapPage * PAGE_BYTES) / 4 + page * (PAGE_MAP_BYTES / 4);
  }

  private get committed(): number {
    return Math.min(words.load(this.member.segment.words, HEADER.committedPages) >>> 0, this.member.geometry.maxPages);
  }

  /** Most bytes a single block can ever have in this region. */
  get largestBlockBytes(): number {
    const { maxPages, heapPage } = this.member.geometry;
    return Math.min(maxPages - heapPage, MAX_RUN_PAGES) * PAGE_BYTES;
  }

  /**
   * Allocates a run inside an operation of the member; its head page is in the member's ledger from then on.
   * Returns the page, `lockBusy` (wait for {@link lockSet}), `full` (the region is; wait for {@link spaceSet}) or
   * `noSpace` (the file system is: wait for {@link spaceSet}, or {@link noSpaceError}). `state`: used, or kept for what an
   * object has until it ends.
   * @throws ERR_CORRUPT
   */
  allocate(pages: number, state: number = RunState.used): number {
    if (!this.tryLock()) return HeapAnswer.lockBusy;
    const page = this.allocateLocked(pages, state);
    this.unlock();
    return page;
  }

  /** Takes the heap lock, for several allocations that are to succeed or fail together. */
  tryLock(): boolean {
    return tryLock(this.member, HEADER.heapLock);
  }

  unlock(): void {
    unlock(this.member, HEADER.heapLock);
  }

  /** {@link allocate} while this member has the heap lock; never `lockBusy`. */
  allocateLocked(pages: number, state: number): number {
    let page = this.find(pages);
    if (page === 0) {
      // The free run at the end, if there is one, is part of what growth makes.
      const grown = this.grow(pages - this.tailPages);
      page = grown < 0 ? grown : this.find(pages);
    }
    if (page > 0) page = this.take(page, pages, state);
    // What was given back to a file system that is full now cannot be had; what was not still can.
    if (page === HeapAnswer.noSpace) {
      const backed = this.find(pages, true);
      if (backed > 0) page = this.take(backed, pages, state);
    }
    return page === 0 ? HeapAnswer.full : page;
  }

  get lockSet(): number {
    return lockWaiters(HEADER.heapLock);
  }
  get spaceSet(): number {
    return HEADER.spaceWaiters;
  }
  get lockIsFree(): boolean {
    return isFree(this.member, HEADER.heapLock);
  }

  /** First free run of at least `pages` from the rover on, merging neighbours on the way; 0 when there is none. `backed`: none that was punched. */
  private find(pages: number, backed = false): number {
    const shared = this.member.segment.words;
    const { heapPage } = this.member.geometry;
    const end = this.committed;
    this.tailPages = 0;
    let rover = words.read(shared, HEADER.heapRover) >>> 0;
    if (rover < heapPage || rover >= end) rover = heapPage;
    const found = this.search(rover, end, pages, backed);
    return found !== 0 || rover === heapPage ? found : this.search(heapPage, end, pages, backed);
  }

  private search(from: number, end: number, pages: number, backed: boolean): number {
    const shared = this.member.segment.words;
    for (let page = from; page < end;) {
      let run = this.head(page, end);
      while (runState(run) === RunState.free && page + runPages(run) < end) {
        const next = this.head(page + runPages(run), end);
        const merged = runPages(run) + runPages(next);
        if (runState(next) !== RunState.free || merged > MAX_RUN_PAGES) break;
        // A run is punched as a whole: backed pages join punched ones only when they are needed.
        if (runPunched(run) !== runPunched(next) && (backed || runPages(run) >= pages)) break;
        if (words.read(shared, HEADER.heapRover) >>> 0 === page + runPages(run))
          words.store(shared, HEADER.heapRover, page);
        run = packRun(RunState.free, runPunched(run) || runPunched(next), 0, merged);
        words.storeRelease(shared, this.entry(page), run);
      }
      if (runState(run) === RunState.free && runPages(run) >= pages && !(backed && runPunched(run))) return page;
      page += runPages(run);
      this.tailPages = page === end && runState(run) === RunState.free ? runPages(run) : 0;
    }
    return 0;
  }

  /** The entry of a head, checked. */
  private head(page: number, end: number): number {
    return this.checked(page, words.load(this.member.segment.words, this.entry(page)), end);
  }

  private checked(page: number, run: number, end: number): number {
    const state = runState(run);
    if (state === RunState.interior || runPages(run) === 0 || page + runPages(run) > end)
      throw new ShmkitError(
        "ERR_CORRUPT",
        `the page map of ${this.member.regionName} is corrupt at page ${page}; remove the region`,
        {
          path: this.member.regionName,
          actual: run >>> 0,
        },
      );
    return run;
  }

  /** Turns the first `pages` of a free run into a block; `noSpace` when a punched run cannot be backed again. */
  private take(page: number, pages: number, state: number): number {
    const { member } = this;
    const shared = member.segment.words;
    const run = words.load(shared, this.entry(page));
    const rest = runPages(run) - pages;
    if (runPunched(run) && native.allocate(member.descriptor, page * PAGE_BYTES, pages * PAGE_BYTES) < 0)
      return HeapAnswer.noSpace;
    if (rest > 0) words.write(shared, this.entry(page + pages), packRun(RunState.free, runPunched(run), 0, rest));
    const generation = words.read(shared, this.entry(page) + 1);
    words.write(shared, this.entry(page) + 1, (generation === 0 ? firstGeneration(page) : generation) + 1);
    words.write(shared, member.ledger, page);
    // SYNC POINT: ledger, remainder and generation become visible with the run; pairs with settleLedger of a recoverer
    words.storeRelease(shared, this.entry(page), packRun(state, false, member.me, pages));
    words.write(shared, HEADER.heapRover, rest > 0 ? page + pages : page);
    return page;
  }

  /** Backs more pages and adds them as a free run: 0, `full` at the region's maximum, or `noSpace`. Heap lock held. */
  private grow(pages: number): number {
    const { geometry } = this.member;
    const end = this.committed;
    const wanted = Math.max(pages, Math.min(SMALLEST_GROWTH_PAGES, geometry.maxPages - end));
    if (pages > MAX_RUN_PAGES || end + wanted > geometry.maxPages) return HeapAnswer.full;
    const result = this.commitTo(end + wanted);
    return result === 0 || wanted === pages ? result : this.commitTo(end + pages);
  }

  /** Backs pages up to `target` in steps and raises the committed word after each. Heap lock held. */
  private commitTo(target: number): number {
    const { member } = this;
    const shared = member.segment.words;
    for (let from = this.committed; from < target; from = this.committed) {
      const pages = Math.min(GROWTH_STEP_PAGES, target - from);
      const backed =
        this.back(this.entry(from) * 4, pages * PAGE_MAP_BYTES) && this.back(from * PAGE_BYTES, pages * PAGE_BYTES);
      if (!backed) return HeapAnswer.noSpace;
      words.write(shared, this.entry(from), packRun(RunState.free, false, 0, pages));
      words.write(shared, HEADER.grownPages, words.read(shared, HEADER.grownPages) + pages);
      // SYNC POINT: the pages are backed and described before they are committed
      words.store(shared, HEADER.committedPages, from + pages);
      tell("shmkit:region:grow", () => ({
        region: member.regionName,
        sizeBytes: (from + pages - member.geometry.heapPage) * PAGE_BYTES,
      }));
    }
    return 0;
  }

  private back(offsetBytes: number, lengthBytes: number): boolean {
    const result = native.allocate(this.member.descriptor, offsetBytes, lengthBytes);
    if (result < 0 && result !== -ERRNO.noSpace) throw systemError(result, "fallocate", this.member.segment.path);
    return result === 0;
  }

  noSpaceError(): ShmkitError {
    const { member } = this;
    return new ShmkitError(
      "ERR_NO_SPACE",
      `${member.regionName} cannot grow: the file system behind ${member.segment.path} is full; free some of it, or enlarge it`,
      { path: member.segment.path },
    );
  }

  /** One step of growing the region to at least `pages` of the file, to be waited for; whether it is there. */
  growing(pages: number, what: string, queue: LocalQueue): Waitable<boolean> {
    return this.stepping(what, queue, () => {
      if (this.commitTo(Math.min(pages, this.committed + GROWTH_STEP_PAGES)) < 0) throw this.noSpaceError();
      return this.committed >= pages;
    });
  }

  /**
   * One step of backing what a block of `pages` will need, so that allocating it holds no lock for long; whether there is nothing
   * more to back, or no more to be had, which the allocation will say. Undefined for what is no more than a step.
   */
  readying(pages: number, what: string, queue: LocalQueue): Waitable<boolean> | undefined {
    if (pages <= GROWTH_STEP_PAGES || pages * PAGE_BYTES > this.largestBlockBytes) return undefined;
    const punched: Backing = { page: 0, run: 0, generation: 0, pages: 0 };
    return this.stepping(what, queue, () => {
      const page = this.find(pages);
      if (page > 0) return this.backPunched(page, pages, punched);
      const missing = pages - this.tailPages;
      const step = Math.min(missing, GROWTH_STEP_PAGES);
      const end = this.committed;
      return end + missing > this.member.geometry.maxPages || this.commitTo(end + step) < 0 || step === missing;
    });
  }

  /** One step of backing the first pages of a free run, if it was punched. Only a run of which none was taken meanwhile still has what it got. */
  private backPunched(page: number, pages: number, backing: Backing): boolean {
    const shared = this.member.segment.words;
    const run = words.load(shared, this.entry(page));
    if (!runPunched(run)) return true;
    const generation = this.generationOf(page);
    if (backing.page !== page || backing.run !== run || backing.generation !== generation)
      Object.assign(backing, { page, run, generation, pages: 0 });
    const step = Math.min(pages - backing.pages, GROWTH_STEP_PAGES);
    if (!this.back((page + backing.pages) * PAGE_BYTES, step * PAGE_BYTES)) return true;
    backing.pages += step;
    if (backing.pages < pages) return false;
    const rest = runPages(run) - pages;
    if (rest > 0) words.write(shared, this.entry(page + pages), packRun(RunState.free, true, 0, rest));
    // SYNC POINT: the remainder becomes visible with the run; pairs with the loads of runs
    words.storeRelease(shared, this.entry(page), packRun(RunState.free, false, 0, pages));
    return true;
  }

  /** An operation under the heap lock that only ever grows the region, if it changes anything. */
  private stepping(what: string, queue: LocalQueue, step: () => boolean): Waitable<boolean> {
    return {
      what,
      queue,
      owner: this,
      attempt: () => {
        const { member } = this;
        member.begin(Op["heap.allocate"], NO_ENTRY);
        try {
          if (!tryLock(member, HEADER.heapLock)) return blockedOnLock(member, HEADER.heapLock);
          words.write(member.segment.words, member.argument, this.committed);
          member.critical(0);
          const isLast = step();
          member.committed();
          unlock(member, HEADER.heapLock);
          member.end();
          return isLast;
        } catch (error) {
          return member.failed(error);
        }
      },
      remains: () => this.lockIsFree,
    };
  }

  /**
   * Names this member as owner of a block it has the exclusive right to free, before the step that makes freeing due.
   * @throws ERR_CORRUPT when there is no block of that state
   */
  adopt(page: number, state: number = RunState.used): void {
    const { member } = this;
    if (!this.isBlock(page, state))
      throw new ShmkitError(
        "ERR_CORRUPT",
        `something in ${member.regionName} refers to page ${page}, where no block begins; remove the region`,
        { path: member.regionName, actual: page },
      );
    const run = words.load(member.segment.words, this.entry(page));
    words.write(member.segment.words, member.ledger, page);
    words.storeRelease(member.segment.words, this.entry(page), packRun(state, false, member.me, runPages(run)));
  }

  /** Frees a block this member owns, and rings one who waits for space. */
  free(page: number): void {
    this.release(page);
    this.clearLedger();
    this.ringSpaceWaiters();
  }

  private release(page: number): void {
    const shared = this.member.segment.words;
    const run = words.load(shared, this.entry(page));
    words.store(shared, this.entry(page), packRun(RunState.free, runPunched(run), 0, runPages(run)));
  }

  private ringSpaceWaiters(): void {
    // All: whoever is picked may need more than there is now, and would not pass the ring on.
    ringAll(this.member, HEADER.spaceWaiters);
  }

  /** Frees the block, if the member of `slot` still owns it: what a recoverer does. */
  freeIfOwnedBy(page: number, slot: number): void {
    if (!this.isBlock(page)) return;
    const run = words.load(this.member.segment.words, this.entry(page));
    if (runOwner(run) !== slot + 1) return;
    words.store(this.member.segment.words, this.entry(page), packRun(RunState.free, runPunched(run), 0, runPages(run)));
  }

  /** Frees a block of an object that nobody has any more, if it still is the one of that generation; the object's own follows, and rings. */
  freeIfSame(page: number, generation: number, state: number = RunState.used): void {
    if (this.isBlock(page, state) && this.generationOf(page) === generation) this.release(page);
  }

  /** A block that was published or freed no longer needs the ledger. */
  clearLedger(): void {
    // SYNC POINT: after that; a plain store could be seen before it by whoever recovers this member. Pairs with settleLedger
    words.storeRelease(this.member.segment.words, this.member.ledger, 0);
  }

  /** Gives the pages of a big block back to the system before it is freed by its owner. */
  punch(page: number): void {
    const { member } = this;
    const run = words.load(member.segment.words, this.entry(page));
    // The mark first: pages that are gone without it would be used unbacked.
    words.store(member.segment.words, this.entry(page), packRun(runState(run), true, member.me, runPages(run)));
    native.punch(member.descriptor, page * PAGE_BYTES, runPages(run) * PAGE_BYTES);
  }

  /** Whether a block begins at the page: one of that state, or any. */
  isBlock(page: number, state?: number): boolean {
    if (page < this.member.geometry.heapPage || page >= this.committed) return false;
    const run = words.load(this.member.segment.words, this.entry(page));
    const found = runState(run);
    if (state === undefined ? found !== RunState.used && found !== RunState.kept : found !== state) return false;
    return runPages(run) > 0 && page + runPages(run) <= this.committed;
  }

  /** Whether the block of a message begins at the page: that of the generation, with room for so many bytes. */
  isMessage(page: number, generation: number, bytes: number): boolean {
    return (
      this.isBlock(page, RunState.used) &&
      this.generationOf(page) === generation &&
      pagesFor(bytes) <= this.pagesOf(page)
    );
  }

  /** Word index of the end of what is backed. */
  get endWord(): number {
    return this.committed * PAGE_WORDS;
  }

  pagesOf(page: number): number {
    return runPages(words.load(this.member.segment.words, this.entry(page)));
  }

  generationOf(page: number): number {
    return words.read(this.member.segment.words, this.entry(page) + 1);
  }

  /** Recovery of a heap lock whose owner died: any head is a valid rover, so begin anew. */
  resetRover(): void {
    words.store(this.member.segment.words, HEADER.heapRover, this.member.geometry.heapPage);
  }

  /**
   * The heads of all runs, read without the lock: one that was merged away meanwhile still leads to one that is, or was.
   * @throws ERR_CORRUPT
   */
  *runs(): Generator<readonly [page: number, run: number], void, void> {
    for (let page = this.member.geometry.heapPage; page < this.committed;) {
      const run = words.load(this.member.segment.words, this.entry(page));
      // The end is read after the run, which may have been merged with what was committed just now.
      yield [page, this.checked(page, run, this.committed)];
      page += runPages(run);
    }
  }

  statistics(): HeapStatistics {
    const end = this.committed;
    let freePages = 0;
    let largest = 0;
    let usedBlocks = 0;
    // Neighbours count as one: allocation merges them on its way.
    let adjacent = 0;
    for (let page = this.member.geometry.heapPage; page < end;) {
      const run = words.load(this.member.segment.words, this.entry(page));
      if (runPages(run) === 0) break;
      if (runState(run) === RunState.free) {
        freePages += runPages(run);
        adjacent += runPages(run);
        largest = Math.max(largest, Math.min(adjacent, MAX_RUN_PAGES));
      } else {
        usedBlocks++;
        adjacent = 0;
      }
      page += runPages(run);
    }
    const committed = Math.max(0, end - this.member.geometry.heapPage);
    return {
      committedBytes: committed * PAGE_BYTES,
      freeBytes: freePages * PAGE_BYTES,
      usedBlocks,
      largestFreeBytes: largest * PAGE_BYTES,
    };
  }
}
