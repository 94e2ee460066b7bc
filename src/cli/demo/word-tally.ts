const WORD = /[\p{L}\p{N}_]+/gu;

/** How often each word occurs. */
export type Tally = Map<string, number>;

/** Adds the words of a text to a tally. */
export function countWords(text: Buffer, tally: Tally): void {
  for (const word of text.toString("utf8").match(WORD) ?? []) tally.set(word, (tally.get(word) ?? 0) + 1);
}

/** A tally as it travels: two lists, since any word may be the name of something that every object has. */
export interface TallyMessage {
  /** Number of the batch: a batch that is delivered twice is counted once. */
  readonly batch: number;
  readonly words: string;
  readonly counts: readonly number[];
}

export function toMessage(batch: number, tally: Tally): TallyMessage {
  return { batch, words: [...tally.keys()].join(" "), counts: [...tally.values()] };
}

export function addMessage({ words, counts }: TallyMessage, tally: Tally): void {
  if (counts.length === 0) return;
  words.split(" ").forEach((word, at) => tally.set(word, (tally.get(word) ?? 0) + counts[at]));
}

/** The words whose counts differ, with both counts. */
export function differences(a: Tally, b: Tally): string[] {
  const found: string[] = [];
  for (const [word, count] of a)
    if (b.get(word) !== count) found.push(`${JSON.stringify(word)}: ${count} and ${b.get(word) ?? 0}`);
  for (const [word, count] of b) if (!a.has(word)) found.push(`${JSON.stringify(word)}: 0 and ${count}`);
  return found;
}

export function total(tally: Tally): number {
  let sum = 0;
  for (const count of tally.values()) sum += count;
  return sum;
}
