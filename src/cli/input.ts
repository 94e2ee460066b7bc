import { accessSync, closeSync, constants, createReadStream, fstatSync, openSync, readSync, statSync } from "node:fs";
import { addAbortSignal } from "node:stream";
import { StringDecoder } from "node:string_decoder";

/** @throws ENOENT, EACCES before anything is sent */
export function checkReadable(files: readonly string[]): void {
  for (const file of files) accessSync(file, constants.R_OK);
}

/**
 * The bytes of files one after the other, or of standard input. The pieces of regular files share one buffer: each is gone
 * with the next.
 */
export async function* pieces(
  files: readonly string[],
  pieceBytes: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  if (files.length === 0) {
    if (fstatSync(0).isFile()) yield* piecesOfFile(0, pieceBytes);
    else yield* addAbortSignal(signal, process.stdin) as AsyncIterable<Buffer>;
  }
  for (const file of files) {
    if (statSync(file).isFile()) {
      const descriptor = openSync(file, "r");
      try {
        yield* piecesOfFile(descriptor, pieceBytes);
      } finally {
        closeSync(descriptor);
      }
    } else yield* createReadStream(file, { highWaterMark: pieceBytes, signal }) as AsyncIterable<Buffer>;
  }
}

/** Reading a regular file never waits for anybody, so it is read without a trip through the thread pool. */
function* piecesOfFile(descriptor: number, pieceBytes: number): Generator<Uint8Array, void, void> {
  const buffer = new Uint8Array(pieceBytes);
  for (;;) {
    const length = readSync(descriptor, buffer, 0, pieceBytes, null);
    if (length === 0) return;
    yield buffer.subarray(0, length);
  }
}

/** Cuts bytes into lines, without their ends. */
export class LineSplitter {
  private readonly decoder = new StringDecoder("utf8");
  private rest = "";

  push(piece: Uint8Array): string[] {
    const lines = this.decoder.write(piece).split("\n");
    lines[0] = this.rest + lines[0];
    this.rest = lines.pop()!;
    return lines;
  }

  /** The last line, if it does not end. */
  end(): string[] {
    const last = this.rest + this.decoder.end();
    this.rest = "";
    return last === "" ? [] : [last];
  }
}
