import { NameEncoding } from "../layout/lock-manager.js";

/** Every code unit fits a byte. */
const LATIN1 = /^[\0-\xff]*$/;

/** A lock's name, any JavaScript string, as it is stored and compared. */
export class LockName {
  readonly encoding: number;
  /** Length as stored. */
  readonly bytes: number;
  /** The bytes, padded with zeroes. */
  readonly words: Int32Array;
  readonly hash: number;

  private constructor(readonly text: string) {
    const latin1 = LATIN1.test(text);
    this.encoding = latin1 ? NameEncoding.latin1 : NameEncoding.utf16;
    this.bytes = latin1 ? text.length : 2 * text.length;
    this.words = new Int32Array((this.bytes + 3) >>> 2);
    Buffer.from(this.words.buffer).write(text, latin1 ? "latin1" : "utf16le");
    let hash = 0x811c9dc5 | 0;
    for (const word of this.words) hash = Math.imul(hash ^ word, 0x01000193);
    this.hash = hash;
  }

  /** The name of a text; those that come again and again are made once. */
  static of(text: string): LockName {
    let name = known.get(text);
    if (name !== undefined) return name;
    name = new LockName(text);
    if (text.length > LONG) return name;
    if (known.size >= KNOWN) known.clear();
    known.set(text, name);
    return name;
  }
}

const KNOWN = 1000;
const LONG = 200;
const known = new Map<string, LockName>();

/** The text of a stored name. */
export const decodeName = (bytes: Uint8Array, encoding: number): string =>
  Buffer.from(bytes).toString(encoding === NameEncoding.utf16 ? "utf16le" : "latin1");
