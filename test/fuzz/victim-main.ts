/** The process that runs cases, so that one in which it crashes or hangs can be told, by its parent. */
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { watchAllocations } from "./allocation-watch.js";
import type { Threads } from "./cases.js";
import type { Findings } from "./judge.js";
import type { ToThread } from "./thread-main.js";

watchAllocations();
const { uniqueRegionName } = await import("../helpers/leftovers.js");
const { runCase } = await import("./cases.js");
const { Judge } = await import("./judge.js");

/** What a case came to. */
export interface CaseReport {
  readonly seed: number;
  readonly findings: Findings;
  /** The damage, by structure, and in words. */
  readonly structures: Readonly<Record<string, number>>;
  readonly hits: readonly string[];
}

class WorkerThreads implements Threads {
  private readonly workers = [this.start(), this.start()] as const;
  private readonly active = new Set<Worker>();

  private start(): Worker {
    const worker = new Worker(fileURLToPath(new URL("thread-main.js", import.meta.url)));
    worker.unref();
    return worker;
  }

  private tell(worker: Worker, message: ToThread): void {
    this.active.add(worker);
    worker.postMessage(message);
  }

  async use(region: string, seed: number): Promise<void> {
    const ready = once(this.workers[0], "message");
    this.tell(this.workers[0], { use: region, seed });
    await ready;
  }

  scribble(...[path, hits, seed]: Parameters<Threads["scribble"]>): void {
    this.tell(this.workers[1], { scribble: path, hits, seed });
  }

  async stop(): Promise<Findings | undefined> {
    const endings = [...this.active].map((worker) => {
      const ended = once(worker, "message") as Promise<[{ findings: Findings | undefined }]>;
      worker.postMessage({ stop: true } satisfies ToThread);
      return ended;
    });
    this.active.clear();
    const found = await Promise.all(endings);
    return found.find(([{ findings }]) => findings !== undefined)?.[0].findings;
  }
}

const threads = new WorkerThreads();

process.on("message", ({ seed }: { seed: number }) => {
  void (async () => {
    const judge = new Judge();
    const structures: Record<string, number> = {};
    const hits: string[] = [];
    const onHit = (struct: string, text: string): void => {
      structures[struct] = (structures[struct] ?? 0) + 1;
      hits.push(text);
    };
    try {
      await runCase({ seed, name: uniqueRegionName("fuzz"), judge, threads, onHit });
    } catch (error) {
      judge.faults.push(`outside of any call: ${(error as Error).stack ?? String(error)}`);
    }
    process.send!({ seed, findings: judge.findings, structures, hits } satisfies CaseReport);
  })();
});
process.on("disconnect", () => process.exit(0));
