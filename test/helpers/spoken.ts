import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Worker } from "node:worker_threads";

/** What a process says on its standard output and its standard error, which have to be pipes. */
export interface Spoken {
  /** Its standard output so far. */
  readonly output: string;
  /**
   * Its first words, trimmed. Rejects when it ends without any, and says how, and with what on its standard error: who waits for
   * them would wait for ever.
   */
  readonly first: Promise<string>;
}

/** Listens to a process from its start; what it says on its standard error is passed on as well. */
export function listenTo(child: ChildProcess): Spoken {
  let output = "";
  let errors = "";
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
    process.stderr.write(text);
  });
  const first = new Promise<string>((resolve, reject) => {
    child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      resolve(output.trim());
    });
    child.on("error", reject);
    child.on("close", (code, signal) => {
      reject(new Error(`the process ended (${signal ?? code ?? "without a code"}) before it said anything\n${errors}`));
    });
  });
  // Not everybody waits for words.
  first.catch(() => undefined);
  return {
    get output() {
      return output;
    },
    first,
  };
}

/** The next message of a worker thread. Rejects when it fails or ends instead, for the same reason. */
export async function messageOf(worker: Worker): Promise<unknown> {
  const over = new AbortController();
  const ended = once(worker, "exit", over).then(([code]: unknown[]) => {
    throw new Error(`the worker ended with ${String(code)} before it said anything`);
  });
  try {
    const [message] = (await Promise.race([once(worker, "message", over), ended])) as unknown[];
    return message;
  } finally {
    over.abort();
  }
}
