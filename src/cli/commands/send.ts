import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import { Region, type Pipe, type RegionOptions } from "#shmkit";
import { objectAddress } from "../address.js";
import type { Command, Invocation } from "../command.js";
import { CommandError, usageError } from "../exit-codes.js";
import { checkReadable, LineSplitter, pieces } from "../input.js";
import { Patience } from "../patience.js";
import { Progress } from "../progress.js";
import { joinRegion, whereItIs } from "../regions.js";
import { Stream } from "../stream.js";
import { toldOnTime } from "../timeouts.js";

/** Bytes under way that still fit the caches, and the sizes of a piece. */
const UNDER_WAY_BYTES = 8 * 2 ** 20;
const PIECE_BYTES = { smallest: 64 * 1024, usual: 256 * 1024 } as const;
const CAPACITY = { lines: 1024, bytes: UNDER_WAY_BYTES / PIECE_BYTES.usual } as const;
/** Longest time without a turn of the event loop: then signals are seen to. */
const YIELD_MS = 50;
/** Milliseconds that a full pipe is left to empty. */
const SHORT_PAUSES = 20;

export const command: Command = {
  name: "send",
  summary: "send lines, or bytes, from files or standard input into a pipe",
  usage: ["REGION/NAME [FILE...]"],
  about: `Sends each line of the files (of standard input, if there are none) as a string, with --json as the value that it is
in JSON, or with --bytes their bytes, into the pipe NAME of REGION; makes both if they do not exist. Then closes the pipe, waits until everything has
been received, and ends: as with a FIFO, the stream ends with its last sender, and either side may start first.
With --keep the pipe stays open and what was sent stays in it, also when nobody is there.`,
  options: {
    bytes: { type: "boolean", short: "b", about: "send bytes as they are, in large pieces" },
    json: {
      type: "boolean",
      short: "j",
      about: "each line is a value in JSON; errors of shmkit as JSON, on standard error",
    },
    keep: { type: "boolean", short: "k", about: "do not close the pipe and do not wait until everything is received" },
    timeout: {
      type: "string",
      short: "t",
      value: "TIME",
      about: "give up when nothing moved for so long (500ms, 5s, 2m)",
    },
    capacity: { type: "string", value: "N", about: "messages the pipe holds, if it is made here" },
    size: {
      type: "string",
      value: "SIZE",
      about: "memory of the region at first, if it is made here, such as 64MiB (default 16MiB)",
    },
    "max-size": {
      type: "string",
      value: "SIZE",
      about: "size the region can grow to, if it is made here (default 1GiB)",
    },
  },
  exitCodes: [1, 3, 4, 5],
  examples: [
    "ls | shmkit send jobs/files",
    "shmkit send q/backup --bytes archive.tar",
    "echo hello | shmkit send --keep app/inbox",
    `echo '{"url":"https://example.org"}' | shmkit send --json app/jobs`,
  ],
  completes: "addresses",
  arguments: [1, Number.POSITIVE_INFINITY],
  run: send,
};

async function send(invocation: Invocation): Promise<void> {
  const [address, ...files] = invocation.positionals;
  const { region: regionName, name } = objectAddress(address);
  const content = invocation.flag("bytes") ? "bytes" : "lines";
  const json = invocation.flag("json");
  if (json && content === "bytes") throw usageError("--bytes are no JSON: only one of --bytes and --json");
  const keep = invocation.flag("keep");
  const capacity = wholeNumber(invocation.text("capacity"), "--capacity");
  const patience = Patience.of(invocation.text("timeout"), invocation.signal);
  checkReadable(files);
  await toldOnTime(`sending to ${address}`, { region: regionName, patience }, async () => {
    const region = await openRegion(regionName, keep, invocation, patience);
    const progress = new Progress(invocation.terminal, "sent");
    let stream: Stream | undefined;
    try {
      const how = { content, endless: keep, capacity, usualCapacity: CAPACITY[content] } as const;
      stream = await Stream.send(region, name, how, patience);
      const sender = new Sender(stream, progress, patience, json ? new JsonLines() : asTheyAre);
      let complete = false;
      try {
        await sender.sendAll(files, content === "bytes", invocation.signal);
        if (!keep && stream.pipe.statistics().sent === 0) await stream.waitForReceiver(patience);
        complete = true;
      } finally {
        if (!keep) await stream.finishSending(complete, Patience.toTidyUp());
      }
      if (!keep) await sender.drain();
      else if (region.lifetime === "process" && region.members().length === 1)
        invocation.terminal.error(
          `shmkit: nobody else uses ${regionName}, and it is of those that end with their last user`,
        );
      progress.end();
    } finally {
      await stream?.leave(Patience.toTidyUp()).catch(() => undefined);
      await region.close();
    }
  });
}

async function openRegion(name: string, keep: boolean, invocation: Invocation, patience: Patience): Promise<Region> {
  const size = invocation.text("size");
  const maxSize = invocation.text("max-size");
  const options: RegionOptions = {
    label: "shmkit send",
    ...(size === undefined ? {} : { size }),
    ...(maxSize === undefined ? {} : { maxSize }),
  };
  return keep
    ? joinRegion(name, { ...options, lifetime: "kernel" }, patience)
    : Region.openOrCreate(name, { ...options, ...whereItIs(name), ...patience.options() });
}

function wholeNumber(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw usageError(`${option} must be a whole number, not ${JSON.stringify(text)}`);
  return Number(text);
}

/** The messages of lines. */
interface Messages {
  of(line: string): unknown;
}

const asTheyAre: Messages = { of: (line) => line };

class JsonLines implements Messages {
  private lines = 0;

  of(line: string): unknown {
    this.lines++;
    try {
      return JSON.parse(line);
    } catch (error) {
      throw new CommandError("ERR_JSON", `line ${this.lines} is no JSON: ${(error as Error).message}`, 1);
    }
  }
}

/** Sends into a stream. */
class Sender {
  private readonly stream: Stream;
  private readonly pipe: Pipe;
  private readonly progress: Progress;
  private readonly patience: Patience;
  private readonly messages: Messages;
  private yieldAt = performance.now() + YIELD_MS;

  constructor(stream: Stream, progress: Progress, patience: Patience, messages: Messages) {
    this.messages = messages;
    this.stream = stream;
    this.pipe = stream.pipe;
    this.progress = progress;
    this.patience = patience;
  }

  async sendAll(files: readonly string[], bytes: boolean, signal: AbortSignal): Promise<void> {
    const share = UNDER_WAY_BYTES / this.pipe.capacity;
    const pieceBytes = Math.max(PIECE_BYTES.smallest, Math.min(PIECE_BYTES.usual, 2 ** Math.floor(Math.log2(share))));
    const splitter = new LineSplitter();
    for await (const piece of pieces(files, pieceBytes, signal)) {
      if (bytes) await this.sendPiece(piece);
      else await this.sendLines(splitter.push(piece));
    }
    if (!bytes) await this.sendLines(splitter.end());
  }

  private async sendPiece(piece: Uint8Array): Promise<void> {
    if (!this.pipe.trySend(piece)) await this.sendSlowly(piece);
    this.progress.moved(1, piece.length);
    if (performance.now() > this.yieldAt) await this.seeToOthers();
  }

  private async sendLines(lines: readonly string[]): Promise<void> {
    for (let at = 0; at < lines.length; at++) {
      const line = lines[at];
      const message = this.messages.of(line);
      if (!this.pipe.trySend(message)) await this.sendSlowly(message);
      this.progress.moved(1, line.length + 1);
      if (at % 64 === 0 && performance.now() > this.yieldAt) await this.seeToOthers();
    }
  }

  /**
   * The pipe is full. A sender that waits in it is woken for every message that is taken out, which costs the receiver
   * more than the message; one that lets it empty for a moment is not. Only then it waits in it.
   */
  private async sendSlowly(message: unknown): Promise<void> {
    const { pipe, patience, progress } = this;
    for (let pause = 0; pause < SHORT_PAUSES; pause++) {
      await sleep(1);
      patience.check(`sending to ${pipe.address}`);
      if (pipe.trySend(message)) return;
    }
    await patience.wait(
      `sending to ${pipe.address}`,
      (options) => pipe.send(message, options),
      () => {
        progress.show(pipe.statistics().waitingReceivers === 0 ? "nobody receives" : "");
        this.stream.checkRegion();
      },
    );
  }

  private async seeToOthers(): Promise<void> {
    this.patience.progress();
    this.progress.show();
    await setImmediate();
    this.patience.check(`sending to ${this.pipe.address}`);
    this.yieldAt = performance.now() + YIELD_MS;
  }

  /** Waits until everything has been received. */
  async drain(): Promise<void> {
    const { pipe, patience, progress } = this;
    let received = pipe.statistics().received;
    await patience.wait(
      `waiting until everything in ${pipe.address} is received`,
      (options) => pipe.drain(options),
      () => {
        const now = pipe.statistics();
        if (now.received !== received) patience.progress();
        received = now.received;
        progress.show(`${now.depth} still to be received`);
        this.stream.checkRegion();
      },
    );
  }
}
