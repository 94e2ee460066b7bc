import { usageError } from "./exit-codes.js";

const LINE_BYTES = 16;

/** A range of bytes, of which the end may be open. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** Parses `OFFSET:LENGTH`, both decimal or `0x…`; without LENGTH to the end. @throws ERR_USAGE */
export function byteRange(text: string, option: string): ByteRange {
  const match = /^(0x[\da-f]+|\d+):(0x[\da-f]+|\d+|)$/i.exec(text);
  const [offset, length] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null || !Number.isSafeInteger(offset) || !Number.isSafeInteger(length))
    throw usageError(`${option} must be OFFSET:LENGTH such as 0:64 or 0x1000:0x40, not ${JSON.stringify(text)}`);
  return { offset, length: match[2] === "" ? Number.POSITIVE_INFINITY : length };
}

/** `0x0001f000`, as wide as any other offset below 4 GiB. */
export const formatOffset = (offset: number): string => `0x${offset.toString(16).padStart(8, "0")}`;

/** Lines as hexdump(1) -C writes them: lines that repeat are one `*`. Fed piece by piece. */
export class HexDump {
  private offset: number;
  private last = "";
  private starred = false;

  constructor(offset: number) {
    this.offset = offset;
  }

  /** Lines of a piece, which is of whole lines unless it is the last. */
  lines(piece: Uint8Array): string[] {
    const lines: string[] = [];
    for (let at = 0; at < piece.length; at += LINE_BYTES) {
      const bytes = piece.subarray(at, at + LINE_BYTES);
      const text = lineOf(bytes);
      if (text === this.last) {
        if (!this.starred) lines.push("*");
        this.starred = true;
      } else {
        lines.push(`${formatOffset(this.offset)}  ${text}`);
        this.starred = false;
      }
      this.last = text;
      this.offset += bytes.length;
    }
    return lines;
  }

  /** The last line: where it ended. */
  end(): string {
    return formatOffset(this.offset);
  }
}

function lineOf(bytes: Uint8Array): string {
  const pairs = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"));
  const halves = [pairs.slice(0, 8), pairs.slice(8)].map((half) => half.join(" ").padEnd(8 * 3 - 1));
  const text = Array.from(bytes, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
  return `${halves.join("  ")}  |${text}|`;
}
