/** The other process of `shmkit bench`: sends back what comes, or counts it, until the pipe is closed. */
import { Region, ShmkitError } from "#shmkit";
import { endWithParent, hasParent, leaveParent, tellParent } from "../demo/parent.js";

const LOOK_EVERY = 1024;
const patience = { timeoutMs: 10_000 };

const [task, name, messageBytes] = process.argv.slice(2);
endWithParent();
const region = await Region.open(name, { label: "bench" });
const [there, back] = [region.pipeSync("there"), region.pipeSync("back")];
const bytes = new Uint8Array(Number(messageBytes));
const tasks: Readonly<Record<string, () => unknown>> = {
  "echo blocking": () => back.sendBytesSync(bytes.subarray(0, there.receiveIntoSync(bytes, patience)), patience),
  "echo async": async () => back.send(bytes.subarray(0, await there.receiveInto(bytes, patience)), patience),
  count: () => there.receiveIntoSync(bytes, patience),
};
tellParent("ready");
let count = 0;
try {
  for (;;) {
    const waiting = tasks[task]();
    if (waiting instanceof Promise) await waiting;
    if (++count % LOOK_EVERY === 0 && !hasParent()) break;
  }
} catch (error) {
  if (!(error instanceof ShmkitError) || error.code !== "ERR_CLOSED") throw error;
}
tellParent(count);
await region.close();
leaveParent();
