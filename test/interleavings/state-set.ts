/**
 * States that were explored, with the number of preemptions that were left then: a state that comes again with no more
 * of them leads nowhere new. States are known by 64 bits of hash; at 10 million of them the chance that any two were
 * taken for one is below 1 in 100,000.
 */
export class StateSet {
  /** Small at first: a search begins anew again and again, and most searches are short. */
  private capacity = 1 << 11;
  private keys = new Int32Array(2 * this.capacity);
  private values = new Int8Array(this.capacity).fill(-1);
  size = 0;

  /** False when the state was explored with as much left; else it is now. */
  add(low: number, high: number, left: number): boolean {
    if (this.size > MOST_STATES) return true;
    const mask = this.capacity - 1;
    let at = (low ^ (high >>> 7)) & mask;
    while (this.values[at] >= 0) {
      if (this.keys[2 * at] === (low | 0) && this.keys[2 * at + 1] === (high | 0)) {
        if (this.values[at] >= left) return false;
        this.values[at] = left;
        return true;
      }
      at = (at + 1) & mask;
    }
    this.keys[2 * at] = low;
    this.keys[2 * at + 1] = high;
    this.values[at] = left;
    if (++this.size * 2 > this.capacity) this.grow();
    return true;
  }

  private grow(): void {
    const { keys, values, capacity } = this;
    this.capacity = capacity * 2;
    this.keys = new Int32Array(2 * this.capacity);
    this.values = new Int8Array(this.capacity).fill(-1);
    this.size = 0;
    for (let i = 0; i < capacity; i++) if (values[i] >= 0) this.add(keys[2 * i], keys[2 * i + 1], values[i]);
  }
}

/** Beyond these, states are explored as often as they come: slower, and as sound. */
const MOST_STATES = 1 << 23;
