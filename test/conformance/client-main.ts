/**
 * One file of the platform's tests, or a worker that it starts, in a process of its own, with the locks of a region where
 * the platform has `navigator.locks`: `REGION ROOT PATH [worker]`.
 */
import { type ChildProcess, fork } from "node:child_process";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { runInThisContext } from "node:vm";
import { Lock, LockManager, open } from "shmkit";
import { harnessOf, locate, type Script, scriptsOf } from "./scripts.js";

const [regionName, root, path, role] = process.argv.slice(2) as [string, string, string, string?];

/** What the harness says of a test, and of the file as a whole. */
interface Outcome {
  readonly name: string;
  readonly status: number;
  readonly message: string | null;
}

/** What this process tells who runs the file: each test as it ends, and then how the file ended. */
export type Report = { readonly test: Outcome } | { readonly end: Omit<Outcome, "name"> };

/** Where messages and errors arrive; what listens has it for `this`, and answers through it. */
class Scope extends EventTarget {
  postMessage(data: unknown): void {
    process.send!({ data });
  }
}
const scope = new Scope();

/** A worker is a process, too: what it locks is locked for others. */
class ProcessWorker extends EventTarget {
  readonly #child: ChildProcess;
  constructor(specifier: string) {
    super();
    this.#child = fork(fileURLToPath(import.meta.url), [
      regionName,
      root,
      locate(root, dirname(path), specifier),
      "worker",
    ]);
    this.#child.on("message", (message) =>
      this.dispatchEvent(new MessageEvent("message", message as { data: unknown })),
    );
  }
  postMessage(data: unknown): void {
    this.#child.send({ data });
  }
  terminate(): void {
    this.#child.kill("SIGKILL");
  }
}

/** An event of the global scope with what the harness reads from it. */
const tell = (type: string, facts: object): boolean => scope.dispatchEvent(Object.assign(new Event(type), facts));

const evaluate = ({ text, path }: Script): unknown => runInThisContext(text, { filename: path });

const region = await open(regionName);

class Navigator {
  readonly #locks = region.locks;
  get locks(): LockManager {
    return this.#locks;
  }
}
Object.defineProperty(Navigator.prototype, "locks", { enumerable: true });

const globals = {
  self: globalThis,
  navigator: new Navigator(),
  location: new URL(path.slice(root.length), "https://platform.test"),
  isSecureContext: true,
  Navigator,
  LockManager,
  Lock,
  Worker: ProcessWorker,
  addEventListener: scope.addEventListener.bind(scope),
  removeEventListener: scope.removeEventListener.bind(scope),
  postMessage: scope.postMessage.bind(scope),
  // The descriptions of interfaces are files of the checkout.
  fetch: async (url: string) => ({ ok: true, text: () => readFile(join(root, url), "utf8") }),
};
for (const [name, value] of Object.entries(globals))
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });

if (role === "worker") {
  process.on("message", (message: { data: unknown }) => scope.dispatchEvent(new MessageEvent("message", message)));
  process.on("disconnect", () => process.exit());
  for (const script of scriptsOf(root, path)) evaluate(script);
} else {
  const say = (report: Report, said?: () => void): void => void process.send!(report, said);
  process.on("unhandledRejection", (reason) => tell("unhandledrejection", { reason }));
  process.on("uncaughtException", (error) => tell("error", { error, message: error.message }));
  evaluate(harnessOf(root)!);
  const harness = globalThis as unknown as {
    add_result_callback(callback: (test: Outcome) => void): void;
    add_completion_callback(callback: (tests: unknown, end: Outcome) => void): void;
  };
  harness.add_result_callback(({ name, status, message }) => say({ test: { name, status, message } }));
  harness.add_completion_callback((_tests, { status, message }) =>
    say({ end: { status, message } }, () => process.exit()),
  );
  for (const script of scriptsOf(root, path)) evaluate(script);
}
