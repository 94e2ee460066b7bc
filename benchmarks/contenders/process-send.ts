/** `process.send` between a process and its child. The parent is the near side, and starts the far one. */
import { type ChildProcess, fork, type SendHandle } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type Link, type Value, work } from "./link.js";
import { parseRun } from "./run.js";

const given = parseRun();
const [serialization] = given.role.split(" ");
const run = { ...given, role: process.send === undefined ? "near" : "far" };

/** What this contender's environment says: the program that binds to a core. */
const LAUNCHER = process.env.SHMKIT_BENCH_LAUNCHER ?? "";
/** Messages on their way before a sender waits: without that, they would pile up in its memory. */
const WINDOW = run.benchmark.startsWith("bulk") ? 8 : 256;

function startChild(): ChildProcess {
  const core = run.cores[1];
  return fork(fileURLToPath(import.meta.url), process.argv.slice(2), {
    execPath: LAUNCHER,
    execArgv: ["pin", core < 0 ? "any" : `${core}`, process.execPath],
    serialization: serialization === "advanced" ? "advanced" : "json",
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
}

type Sends = (value: Value, handle: SendHandle | undefined, options: object, sent: () => void) => boolean;

/** Of a child for its parent, of this process for a child. `flush` waits for what is still on its way. */
function linkOver(end: ChildProcess | NodeJS.Process): Link & { flush(): Promise<void> } {
  const send = end.send?.bind(end) as Sends;
  let open = 0;
  let goOn: (() => void) | undefined;
  const sent = (): void => {
    open--;
    goOn?.();
    goOn = undefined;
  };
  return {
    keepsBytes: false,
    // JSON has no bytes.
    carriesObjects: serialization === "json",
    send(value) {
      open++;
      send(value, undefined, {}, sent);
      if (open < WINDOW) return undefined;
      return new Promise<void>((resolve) => (goOn = resolve));
    },
    async flush() {
      while (open > 0) await new Promise<void>((resolve) => (goOn = resolve));
    },
    receive: (take) =>
      new Promise((resolve) => {
        (end as NodeJS.EventEmitter).on("message", (value: Value) => {
          if (take(value)) resolve();
        });
      }),
  };
}

if (process.send === undefined) {
  const child = startChild();
  const ended = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  const failed = ended.then(([code, signal]) => {
    if (code !== 0) throw new Error(`the child ended with ${signal ?? code}`);
  });
  await Promise.all([work(run, linkOver(child)), failed]);
} else {
  const parent = linkOver(process);
  await work(run, parent);
  await parent.flush();
  process.disconnect();
}
