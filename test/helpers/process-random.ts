/** Numbers that look random and are the same in every run: `below(n)` is a whole number from 0 to n - 1. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed | 0;
  }

  /** mulberry32, in the public domain. */
  below(limit: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor(((mixed ^ (mixed >>> 14)) >>> 0) * (limit / 2 ** 32));
  }

  /** One of the items. */
  of<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }
}
