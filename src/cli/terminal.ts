import { fstatSync, writeSync } from "node:fs";
import { clip, colours, wantsColours, type Colours } from "./colours.js";

const coloursOf = ({ isTTY }: NodeJS.WriteStream): Colours => colours(wantsColours(isTTY, process.env));

/** Whether writing to a descriptor cannot wait for a reader: then it is written at once, without the event loop. */
function isFileOrDevice(descriptor: number): boolean {
  try {
    const stat = fstatSync(descriptor);
    return stat.isFile() || (stat.isCharacterDevice() && !process.stdout.isTTY);
  } catch {
    return false;
  }
}

/** Standard output and standard error, with what a terminal adds: colours, and a status line that is drawn over. */
export class Terminal {
  readonly colours: Colours = coloursOf(process.stdout);
  readonly errorColours: Colours = coloursOf(process.stderr);
  readonly isTerminal: boolean = process.stdout.isTTY;
  readonly errorIsTerminal: boolean = process.stderr.isTTY;
  private readonly direct = isFileOrDevice(1);
  private accepted = 0;
  private readonly signal: AbortSignal;
  private readonly broken: (error: unknown) => void;
  private statusStream: NodeJS.WriteStream | undefined;

  /**
   * @param signal ends waiting for a slow reader
   * @param broken told when standard output cannot be written any more; aborts the signal
   */
  constructor(signal: AbortSignal, broken: (error: unknown) => void) {
    this.signal = signal;
    this.broken = broken;
    process.stdout.on("error", broken);
    process.stderr.on("error", () => undefined);
  }

  /** Writes to standard output; resolves when the bytes may be reused. Waits for a slow reader. @throws the signal's reason */
  async write(data: string | Uint8Array): Promise<void> {
    this.clearStatus();
    if (this.direct) {
      this.writeDirectly(data);
      return;
    }
    const bytes = typeof data === "string" ? Buffer.from(data) : data;
    const { signal } = this;
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => reject(signal.reason as Error);
      signal.addEventListener("abort", abort, { once: true });
      process.stdout.write(bytes, (error) => {
        if (error instanceof Error) this.broken(error);
        else this.accepted += bytes.length;
        signal.removeEventListener("abort", abort);
        resolve();
      });
    });
  }

  /** Writes at once, whatever the signal says: where no reader can make it wait, and for a terminal's last words. */
  writeDirectly(data: string | Uint8Array): void {
    const bytes = typeof data === "string" ? Buffer.from(data) : data;
    for (let at = 0; at < bytes.length;) {
      const length = writeSync(1, bytes, at, bytes.length - at);
      at += length;
      this.accepted += length;
    }
  }

  /** Bytes of standard output that the kernel has accepted; of a write to a pipe that failed, none. */
  get acceptedBytes(): number {
    return this.accepted;
  }

  line(text = ""): Promise<void> {
    return this.write(`${text}\n`);
  }

  /** One line on standard error. */
  error(text: string): void {
    this.clearStatus();
    process.stderr.write(`${text}\n`);
  }

  /** Draws a line over the last status line of that terminal; nothing where there is no terminal. */
  status(text: string, stream: NodeJS.WriteStream = process.stderr): void {
    if (!stream.isTTY) return;
    this.clearStatus();
    stream.write(clip(text, (stream.columns || 80) - 1));
    this.statusStream = stream;
  }

  clearStatus(): void {
    this.statusStream?.write("\r\u001b[K");
    this.statusStream = undefined;
  }
}
