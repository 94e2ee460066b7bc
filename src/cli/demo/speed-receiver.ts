/** The receiving process of the speed demo: counts messages until the sender ends, and says how many came. */
import { once } from "node:events";
import { connect } from "node:net";
import { Region, ShmkitError } from "#shmkit";
import { endWithParent, hasParent, leaveParent, tellParent } from "./parent.js";
import { MESSAGE_BYTES } from "./speed.js";

const LOOK_EVERY = 4096;

async function fromRegion(name: string, bytes: boolean): Promise<number> {
  const region = await Region.open(name, { label: "receiver" });
  const pipe = await region.pipes.open("messages");
  tellParent("ready");
  const target = new Uint8Array(MESSAGE_BYTES);
  let received = 0;
  try {
    for (;;) {
      if (bytes) pipe.receiveIntoSync(target, { timeoutMs: 5000 });
      else pipe.receiveSync({ timeoutMs: 5000 });
      if (++received % LOOK_EVERY === 0 && !hasParent()) break;
    }
  } catch (error) {
    if (!(error instanceof ShmkitError) || error.code !== "ERR_CLOSED") throw error;
  } finally {
    await region.close();
  }
  return received;
}

async function fromSocket(path: string, bytes: boolean): Promise<number> {
  const socket = connect(path);
  let received = 0;
  let rest = "";
  let total = 0;
  if (!bytes) socket.setEncoding("utf8");
  socket.on("data", (data: string | Uint8Array) => {
    if (typeof data !== "string") {
      total += data.length;
      received = Math.floor(total / MESSAGE_BYTES);
      return;
    }
    const lines = (rest + data).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      JSON.parse(line);
      received++;
    }
  });
  await once(socket, "end");
  return received;
}

async function fromChannel(): Promise<number> {
  let received = 0;
  tellParent("ready");
  await new Promise<void>((resolve) => {
    process.on("message", (message) => {
      if (message === "end") resolve();
      else received++;
    });
  });
  return received;
}

const [transport, kind, where] = process.argv.slice(2);
endWithParent();
const bytes = kind === "bytes";
if (transport === "shmkit") tellParent(await fromRegion(where, bytes));
else if (transport === "socket") tellParent(await fromSocket(`\0${where}`, bytes));
else tellParent(await fromChannel());
leaveParent();
