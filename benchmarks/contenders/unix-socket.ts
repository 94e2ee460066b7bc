import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Link, type Value, work } from "./link.js";
import { messageBytes, type SmallObject } from "./messages.js";
import { Latencies, parseRun } from "./run.js";

const run = parseRun();
const ADDRESS = join(run.folder, "socket");
const FIRST_BYTE = 123;

async function accept(): Promise<Socket> {
  const server = createServer();
  server.listen(ADDRESS);
  const [socket] = (await once(server, "connection")) as [Socket];
  server.close();
  return socket;
}

async function reach(): Promise<Socket> {
  for (;;) {
    const socket = connect(ADDRESS);
    try {
      await once(socket, "connect");
      return socket;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ENOENT" && code !== "ECONNREFUSED") throw error;
      await sleep(5);
    }
  }
}

/** Hands over each whole message of `size` bytes, until the last one; in a buffer that the next one overwrites. */
function receiveFixed(socket: Socket, size: number, take: (bytes: Uint8Array) => boolean): Promise<void> {
  const part = new Uint8Array(size);
  let filled = 0;
  return new Promise((resolve, reject) => {
    socket.on("error", reject).on("data", (chunk: Buffer) => {
      for (let at = 0; at < chunk.length;) {
        const bytes = Math.min(size - filled, chunk.length - at);
        part.set(chunk.subarray(at, at + bytes), filled);
        at += bytes;
        filled += bytes;
        if (filled < size) break;
        filled = 0;
        if (take(part)) resolve();
      }
    });
  });
}

async function receiveLines(socket: Socket, take: (object: SmallObject) => boolean): Promise<void> {
  let rest = "";
  for await (const chunk of socket.setEncoding("utf8") as AsyncIterable<string>) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (take(JSON.parse(line) as SmallObject)) return;
  }
  throw new Error("the socket ended early");
}

function linkOver(socket: Socket): Link {
  return {
    // A big one is written before the next one is made: its sender waits for it.
    keepsBytes: !run.benchmark.startsWith("bulk"),
    carriesObjects: false,
    send(value: Value) {
      // What an answer is made of is overwritten by the next message.
      const bytes =
        value instanceof Uint8Array
          ? run.role === "far" && isRoundTrip
            ? value.slice()
            : value
          : `${JSON.stringify(value)}\n`;
      if (socket.write(bytes)) return undefined;
      return once(socket, "drain").then(() => undefined);
    },
    receive: (take) =>
      run.benchmark === "object" ? receiveLines(socket, take) : receiveFixed(socket, messageBytes(run), take),
  };
}

const isRoundTrip = run.benchmark.endsWith("round-trip");

/** How long it takes until a server has answered a new connection by one byte. */
async function connectAgainAndAgain(): Promise<void> {
  const latencies = new Latencies(run);
  let count = 0;
  for (; latencies.next(); count++) {
    const socket = await reach();
    const [bytes] = (await once(socket, "data")) as [Buffer];
    if (bytes[0] !== FIRST_BYTE) throw new Error(`the server said ${bytes[0]}`);
    latencies.add(1);
    socket.destroy();
  }
  (await reach()).end("enough");
  latencies.report(count);
}

if (run.benchmark === "attach") {
  if (run.role === "near") await connectAgainAndAgain();
  else {
    const server = createServer((socket) => {
      socket.on("error", () => undefined).write(Uint8Array.of(FIRST_BYTE));
      socket.once("data", () => server.close()).on("close", () => socket.destroy());
    });
    server.listen(ADDRESS);
  }
} else {
  const socket = await (run.role === "near" ? accept() : reach());
  await work(run, linkOver(socket));
  if (run.role === "near") socket.destroy();
  else socket.end();
}
