import type { Listing, ListedObject, ListedRegion } from "./listing.js";

/** Looks that are remembered: as many as a sparkline is wide. */
export const REMEMBERED = 16;

/** What a pipe did at the last looks, oldest first. */
export interface PipeHistory {
  readonly depths: readonly number[];
  readonly rates: readonly number[];
}

interface Owner {
  readonly member: string;
  readonly since: number;
}

/** What happened to the objects since somebody began to look. */
export class History {
  private pipes = new Map<string, PipeHistory>();
  private owners = new Map<string, Owner>();

  /** Takes a look in. @param nowMs any clock that goes on */
  add({ regions }: Listing, nowMs: number): void {
    const pipes = new Map<string, PipeHistory>();
    const owners = new Map<string, Owner>();
    for (const region of regions)
      for (const object of region.objects) {
        const key = keyOf(region, object);
        if (object.pipe !== undefined) {
          const { depths, rates } = this.pipes.get(key) ?? { depths: [], rates: [] };
          const rate = object.rates === undefined ? [] : [object.rates.sentPerSecond + object.rates.receivedPerSecond];
          pipes.set(key, { depths: last([...depths, object.pipe.depth]), rates: last([...rates, ...rate]) });
        }
        const member = ownerOf(region, object);
        if (member === undefined) continue;
        const known = this.owners.get(key);
        owners.set(key, known?.member === member ? known : { member, since: nowMs });
      }
    this.pipes = pipes;
    this.owners = owners;
  }

  pipe(region: ListedRegion, object: ListedObject): PipeHistory {
    return this.pipes.get(keyOf(region, object)) ?? { depths: [], rates: [] };
  }

  /** For how long the owner of a mutex has been the same at every look: it may have held it longer, or anew. */
  heldMs(region: ListedRegion, object: ListedObject, nowMs: number): number {
    return nowMs - (this.owners.get(keyOf(region, object))?.since ?? nowMs);
  }
}

const keyOf = ({ name, epoch }: ListedRegion, object: ListedObject): string =>
  `${name}/${epoch}/${object.name}/${object.createdAt.getTime()}`;

const last = (values: readonly number[]): readonly number[] => values.slice(-REMEMBERED);

function ownerOf({ members }: ListedRegion, { ownerSlot }: ListedObject): string | undefined {
  if (ownerSlot === undefined) return undefined;
  return `${ownerSlot}:${members.find(({ slot }) => slot === ownerSlot)?.generation}`;
}
