import { setImmediate } from "node:timers/promises";
import { Region, ShmkitError, type Lease, type Pipe, type WaitOptions } from "#shmkit";
import { objectAddress } from "../address.js";
import type { Command, Invocation } from "../command.js";
import { CommandError, usageError } from "../exit-codes.js";
import { asItIs, jsonLine, LeasedOutput } from "../leased-output.js";
import { isTimeout, Patience } from "../patience.js";
import { Progress } from "../progress.js";
import { RegionRemoved, Stream } from "../stream.js";
import type { Terminal } from "../terminal.js";
import { whereItIs } from "../regions.js";
import { toldOnTime } from "../timeouts.js";

/** Longest time the thread is blocked: then signals are seen to. */
const SLICE = { lease: true, timeoutMs: 20 } as const;
const YIELD_MS = 50;
export const command: Command = {
  name: "recv",
  summary: "receive from a pipe to standard output",
  usage: ["REGION/NAME"],
  about: `Writes what arrives in the pipe NAME of REGION to standard output: strings as lines, other values as lines of JSON
(bigint as a string of its digits, bytes inside as Base64), bytes as they are; with --json each as a line of JSON. Waits for the region and the pipe to
appear, and ends when the pipe is closed and everything has been received. Several receivers share the messages. When
a sender was killed or stopped in the middle, the rest is written, and the exit code is 1. What standard output did not
take stays for the next receiver, also when this one is killed.`,
  options: {
    json: {
      type: "boolean",
      short: "j",
      about: "each value as a line of JSON, strings and bytes too; errors as JSON, on standard error",
    },
    count: { type: "string", short: "n", value: "N", about: "end after N messages" },
    follow: { type: "boolean", short: "f", about: "go on with the next stream of that name when one has ended" },
    timeout: {
      type: "string",
      short: "t",
      value: "TIME",
      about: "give up when nothing moved for so long (500ms, 5s, 2m)",
    },
  },
  exitCodes: [1, 3, 5, 141],
  examples: [
    "shmkit recv jobs/files | xargs -d '\\n' rm",
    "shmkit recv q/backup > archive.tar",
    "shmkit recv --count 1 app/events",
    "shmkit recv --json app/jobs | jq .url",
  ],
  completes: "addresses",
  arguments: [1, 1],
  run: recv,
};

async function recv(invocation: Invocation): Promise<void> {
  const [address] = invocation.positionals;
  const { region: regionName, name } = objectAddress(address);
  const count = countOf(invocation.text("count"));
  const patience = Patience.of(invocation.text("timeout"), invocation.signal);
  const progress = new Progress(invocation.terminal, "received");
  const follow = invocation.flag("follow");
  const output = new LeasedOutput(invocation.terminal, invocation.flag("json") ? jsonLine : asItIs);
  await toldOnTime(`receiving from ${address}`, { region: regionName, patience }, async () => {
    for (let left = count; left > 0;) {
      const region = await Region.open(regionName, {
        ...whereItIs(regionName),
        wait: true,
        label: "shmkit recv",
        ...patience.options(),
      });
      const receiver = new Receiver(region, name, output, invocation.terminal, progress, patience);
      try {
        while (left > 0) {
          left -= await receiver.receiveStream(left, follow);
          if (!follow) left = 0;
        }
      } catch (error) {
        // With nothing received yet this was another region of the same name, whose end is none of ours.
        if (!(error instanceof RegionRemoved) || (receiver.received > 0 && !follow)) throw error;
      } finally {
        await region.close();
      }
    }
  });
  progress.end();
}

function countOf(text: string | undefined): number {
  if (text === undefined) return Number.POSITIVE_INFINITY;
  if (!/^\d{1,15}$/.test(text)) throw usageError(`--count must be a whole number, not ${JSON.stringify(text)}`);
  return Number(text);
}

/** Receives streams one after the other: blocking for moments where that is fastest, so that signals are seen to in between. */
class Receiver {
  /** Messages received so far. */
  received = 0;
  private readonly region: Region;
  private readonly name: string;
  private readonly output: LeasedOutput;
  private readonly terminal: Terminal;
  private readonly progress: Progress;
  private readonly patience: Patience;
  private yieldAt = 0;

  constructor(
    region: Region,
    name: string,
    output: LeasedOutput,
    terminal: Terminal,
    progress: Progress,
    patience: Patience,
  ) {
    this.region = region;
    this.name = name;
    this.output = output;
    this.terminal = terminal;
    this.progress = progress;
    this.patience = patience;
  }

  /** Receives one stream to its end, at most `most` messages; resolves to their number. @throws ERR_INCOMPLETE */
  async receiveStream(most: number, follow: boolean): Promise<number> {
    const { region, patience } = this;
    const stream = await Stream.receive(region, this.name, patience);
    const lookForDead = (): void => void stream.closeIfAbandoned(Patience.toTidyUp()).catch(() => undefined);
    region.on("memberDied", lookForDead);
    const before = this.received;
    const reader = new MessageReader(stream, this.patience, () => this.look());
    let broken: number;
    try {
      // A sender may have died before this process joined.
      await stream.closeIfAbandoned(patience);
      await this.copy(reader, most);
    } finally {
      region.off("memberDied", lookForDead);
      broken = await stream.leave(Patience.toTidyUp()).catch(() => 0);
    }
    const received = this.received - before;
    if (broken > 0 && received < most) {
      const error = new CommandError(
        "ERR_INCOMPLETE",
        `a sender of ${region.name}/${this.name} broke off; this is not all`,
        1,
      );
      if (!follow) throw error;
      this.terminal.error(`shmkit: ${error.code}: ${error.message}`);
    }
    return received;
  }

  /** Writes as much at a time as is there now, and before every wait. */
  private async copy(reader: MessageReader, most: number): Promise<void> {
    const { output } = this;
    try {
      for (let n = 0; n < most; n++) {
        let lease = reader.tryNext();
        if (lease === undefined) {
          await output.write();
          lease = await reader.next();
        }
        if (lease === END) return;
        this.count(output.add(lease));
        if (output.isFull) await output.write();
        if (n % 64 === 0 && performance.now() > this.yieldAt) await this.seeToOthers();
      }
    } finally {
      await output.write();
    }
  }

  private count(bytes: number): void {
    this.received++;
    this.progress.moved(1, bytes);
  }

  private async seeToOthers(): Promise<void> {
    this.patience.progress();
    this.look();
    await setImmediate();
    this.patience.check(`receiving from ${this.region.name}/${this.name}`);
    this.yieldAt = performance.now() + YIELD_MS;
  }

  private look(): void {
    // What goes to a terminal shows itself.
    if (!this.terminal.isTerminal) this.progress.show();
  }
}

const END: unique symbol = Symbol("end");
type Next = Lease<unknown> | typeof END;

/** The messages of a stream, and its end. */
class MessageReader {
  private readonly stream: Stream;
  private readonly pipe: Pipe;
  private readonly patience: Patience;
  private readonly look: () => void;

  constructor(stream: Stream, patience: Patience, look: () => void) {
    this.stream = stream;
    this.pipe = stream.pipe;
    this.patience = patience;
    this.look = look;
  }

  /** The next message if it is there now. */
  tryNext(): Next | undefined {
    try {
      return this.pipe.tryReceive({ lease: true });
    } catch (error) {
      return this.ended(error);
    }
  }

  async next(): Promise<Next> {
    try {
      return this.pipe.receiveSync(SLICE);
    } catch (error) {
      if (!isTimeout(error)) return this.ended(error);
    }
    try {
      const receive = (options: WaitOptions): Promise<Lease<unknown>> => this.pipe.receive({ lease: true, ...options });
      return await this.patience.wait(`receiving from ${this.pipe.address}`, receive, async () => {
        this.look();
        this.stream.checkRegion();
        await this.stream.closeIfAbandoned(this.patience);
      });
    } catch (error) {
      return this.ended(error);
    }
  }

  /** The end of a stream is no error; its removal in the middle is. */
  private ended(error: unknown): typeof END {
    if (error instanceof ShmkitError && error.code === "ERR_CLOSED" && this.isClosed()) return END;
    throw error;
  }

  private isClosed(): boolean {
    try {
      return this.pipe.isClosed;
    } catch {
      return false;
    }
  }
}
