import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { checkObject, Message, MESSAGE_BYTES, smallObject, type SmallObject } from "./messages.js";
import { Duration, Latencies, parseRun, Rate, type Run } from "./run.js";

const run = parseRun();
const ADDRESS = join(run.folder, "socket");

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

/** Hands over each whole message of `size` bytes; `take` says whether it was the last one. */
function receiveFixed(socket: Socket, size: number, take: (bytes: Uint8Array) => boolean): Promise<void> {
  const part = new Uint8Array(size);
  let filled = 0;
  return new Promise((resolve, reject) => {
    socket.on("error", reject).on("data", (chunk: Buffer) => {
      try {
        for (let at = 0; at < chunk.length;) {
          const bytes = Math.min(size - filled, chunk.length - at);
          part.set(chunk.subarray(at, at + bytes), filled);
          at += bytes;
          filled += bytes;
          if (filled < size) break;
          filled = 0;
          if (take(part)) resolve();
        }
      } catch (error) {
        reject(error);
      }
    });
  });
}

async function write(socket: Socket, message: Uint8Array | string): Promise<void> {
  if (!socket.write(message)) await once(socket, "drain");
}

const ROLES: Record<string, (run: Run) => Promise<void>> = {
  async ping() {
    const socket = await reach();
    const latencies = new Latencies(run);
    const answer = new Message();
    let trips = 0;
    const done = receiveFixed(socket, MESSAGE_BYTES, (bytes) => {
      answer.take(bytes).check(trips++);
      latencies.add(1);
      const goesOn = latencies.next();
      socket.write(new Message().fill(trips, !goesOn));
      return !goesOn;
    });
    latencies.next();
    socket.write(new Message().fill(0, false));
    await done;
    latencies.report(trips);
    socket.end();
  },

  async pong() {
    const socket = await accept();
    const message = new Message();
    let trips = 0;
    await receiveFixed(socket, MESSAGE_BYTES, (bytes) => {
      if (message.take(bytes).check(trips++)) return true;
      socket.write(bytes.slice());
      return false;
    });
    socket.destroy();
  },

  async "spsc-64B sender"() {
    const socket = await reach();
    const duration = new Duration(run);
    for (let number = 0; ; number++) {
      const isLast = duration.isOver(number);
      // The socket keeps the bytes until they are written.
      if (!socket.write(new Message().fill(number, isLast))) await once(socket, "drain");
      if (isLast) break;
    }
    socket.end();
  },

  async "spsc-64B receiver"() {
    const socket = await accept();
    const message = new Message();
    const rate = new Rate(run);
    let number = 0;
    await receiveFixed(socket, MESSAGE_BYTES, (bytes) => {
      if (message.take(bytes).check(number)) return true;
      rate.count(number++);
      return false;
    });
    rate.report(number);
    socket.destroy();
  },

  async "object sender"() {
    const socket = await reach();
    const duration = new Duration(run);
    for (let number = 0; ; number++) {
      const isLast = duration.isOver(number);
      await write(socket, `${JSON.stringify(smallObject(number, isLast))}\n`);
      if (isLast) break;
    }
    socket.end();
  },

  async "object receiver"() {
    const socket = await accept();
    const rate = new Rate(run);
    let number = 0;
    let rest = "";
    for await (const chunk of socket.setEncoding("utf8") as AsyncIterable<string>) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (!checkObject(JSON.parse(line) as SmallObject, number)) rate.count(number++);
      }
    }
    rate.report(number);
  },
};

const role = ROLES[`${run.benchmark} ${run.role}`] ?? ROLES[run.role];
if (role === undefined) throw new Error(`there is no ${run.benchmark} ${run.role}`);
await role(run);
