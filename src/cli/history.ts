import { holdersOf, type Party } from "./holders.js";
import type { Listing, ListedObject, ListedRegion } from "./listing.js";

/** Looks that are remembered: as many as a sparkline is wide. */
export const REMEMBERED = 16;

/** What a pipe did at the last looks, oldest first. */
export interface PipeHistory {
  readonly depths: readonly number[];
  readonly rates: readonly number[];
}

/** What happened to the objects since somebody began to look. */
export class History {
  private pipes = new Map<string, PipeHistory>();
  /** When each member was first seen to have an object, and has had it at every look since. */
  private holders = new Map<string, number>();

  /** Takes a look in. @param nowMs any clock that goes on */
  add({ regions }: Listing, nowMs: number): void {
    const pipes = new Map<string, PipeHistory>();
    const holders = new Map<string, number>();
    for (const region of regions)
      for (const object of region.objects) {
        const key = keyOf(region, object);
        if (object.pipe !== undefined) {
          const { depths, rates } = this.pipes.get(key) ?? { depths: [], rates: [] };
          const rate = object.rates === undefined ? [] : [object.rates.sentPerSecond + object.rates.receivedPerSecond];
          pipes.set(key, { depths: last([...depths, object.pipe.depth]), rates: last([...rates, ...rate]) });
        }
        for (const holder of holdersOf(object)?.holders ?? []) {
          const held = holderKey(region, object, holder);
          holders.set(held, this.holders.get(held) ?? nowMs);
        }
      }
    this.pipes = pipes;
    this.holders = holders;
  }

  pipe(region: ListedRegion, object: ListedObject): PipeHistory {
    return this.pipes.get(keyOf(region, object)) ?? { depths: [], rates: [] };
  }

  /** For how long a member has had an object at every look: it may have had it longer, or anew. */
  heldMs(region: ListedRegion, object: ListedObject, holder: Party, nowMs: number): number {
    return nowMs - (this.holders.get(holderKey(region, object, holder)) ?? nowMs);
  }
}

const keyOf = ({ name, epoch }: ListedRegion, object: ListedObject): string =>
  `${name}/${epoch}/${object.name}/${object.createdAt.getTime()}`;

const last = (values: readonly number[]): readonly number[] => values.slice(-REMEMBERED);

const holderKey = (region: ListedRegion, object: ListedObject, { slot }: Party): string =>
  `${keyOf(region, object)}/${slot}:${region.members.find((member) => member.slot === slot)?.generation}`;
