/** One random sequence of calls, of which each ends in a value or a typed error. */
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { MappedStream, MappedView, MemoryMappedFile, ShareableList, SharedMemory, SystemSemaphore } from "shmkit";
import * as posix from "shmkit/posix";
import { Random } from "../helpers/process-random.js";
import { mappingCalls } from "./mapping-calls.js";
import { memoryCalls, queueCalls, synchronisationCalls, sysvCalls, type SystemCalls } from "./system-calls.js";
import { isTyped, removeSystemObjects, Scene } from "./system-scene.js";

const THREAD = fileURLToPath(new URL("system-thread-main.js", import.meta.url));
const LENGTH = 150;
const MOST_PENDING = 8;

/** What a sequence came to. */
export interface SequenceFindings {
  calls: number;
  /** How calls ended: by error code, or "value". */
  readonly endings: Record<string, number>;
  /** Calls that were made with something to call them on, by their names. */
  readonly made: Record<string, number>;
  readonly faults: string[];
}

/**
 * Calls that a sequence leaves out when it has company. The C library's own mutexes and conditions may not be written over while
 * another thread is in a call on them, so either those calls are left out, or what writes.
 */
const COMPANY = {
  "that writes": (label: string): boolean => /^pthread_/.test(label),
  "that waits": (label: string): boolean => /^(write|zero|cut|ftruncate|shm_open|sem_init|pthread_.*_init)/.test(label),
};
export type Company = keyof typeof COMPANY;
const COMPANIES = Object.keys(COMPANY) as Company[];

/** The code of the error, or what it is where that has none. */
const endingOf = ({ code, name }: Error & { code?: unknown }): string => (typeof code === "string" ? code : name);

export class Sequence {
  readonly findings: SequenceFindings = { calls: 0, endings: {}, made: {}, faults: [] };
  private readonly scene: Scene;
  private readonly calls: SystemCalls;
  private readonly names: readonly string[];
  private readonly company: Company | undefined;
  private isAmid = false;
  private worker: Worker | undefined;

  /** @param trace is told of each call before it is made, so that the last one of a process that crashed is known */
  constructor(
    private readonly seed: number,
    private readonly trace: (label: string) => void,
    company?: Company,
  ) {
    const random = new Random(seed);
    this.scene = new Scene(random);
    const { scene } = this;
    const amid = (): void => {
      if (this.isAmid) return;
      this.isAmid = true;
      this.step();
      this.isAmid = false;
    };
    const groups = [
      memoryCalls(scene),
      memoryCalls(scene),
      synchronisationCalls(scene, amid),
      queueCalls(scene),
      sysvCalls(scene),
      mappingCalls(scene),
    ];
    // One sequence makes calls of few groups, so that they meet one another's objects.
    const chosen = [memoryCalls(scene), random.of(groups), random.of(groups)];
    this.calls = Object.assign({}, ...chosen) as SystemCalls;
    this.company = company ?? (scene.chance(12) ? random.of(COMPANIES) : undefined);
    const isLeftOut = this.company === undefined ? () => false : COMPANY[this.company];
    this.names = Object.keys(this.calls).filter((label) => !isLeftOut(label));
  }

  async run(isMain: boolean): Promise<SequenceFindings> {
    const { scene } = this;
    const { random } = scene;
    const withThread = isMain && this.company !== undefined;
    for (let i = 0; i < LENGTH; i++) {
      if (withThread && i === 20) this.startThread();
      if (withThread && i === 100) await this.worker?.terminate();
      this.step();
      if (scene.pending.size > MOST_PENDING) await Promise.race(scene.pending);
      if (random.below(4) === 0) await new Promise(setImmediate);
    }
    await Promise.all(scene.pending);
    if (isMain) this.end();
    await Promise.all(scene.pending);
    return this.findings;
  }

  /** Another thread with the same names, which is ended in the midst of its calls. */
  private startThread(): void {
    this.trace("a thread");
    this.worker = new Worker(THREAD, { workerData: { seed: this.seed ^ 0x55555555, company: this.company } });
    this.worker.on("error", (error) => this.findings.faults.push(`in the thread: ${error.stack ?? error.message}`));
  }

  private step(): void {
    const label = this.scene.random.of(this.names);
    this.trace(label);
    const { findings, scene } = this;
    findings.calls++;
    const ended = (ending: string): void => void (findings.endings[ending] = (findings.endings[ending] ?? 0) + 1);
    const failed = (error: unknown): void => {
      if (isTyped(error)) ended(endingOf(error as Error & { code?: unknown }));
      else findings.faults.push(`${label}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    };
    try {
      const answer = this.calls[label]();
      if (answer !== undefined) findings.made[label] = (findings.made[label] ?? 0) + 1;
      if (!(answer instanceof Promise)) {
        ended("value");
        return;
      }
      const settled: Promise<void> = answer
        .then(() => ended("value"), failed)
        .finally(() => scene.pending.delete(settled));
      scene.pending.add(settled);
    } catch (error) {
      findings.made[label] = (findings.made[label] ?? 0) + 1;
      failed(error);
    }
  }

  /** Gives up everything, in an order of its own, and takes the names away. */
  private end(): void {
    const { scene } = this;
    const giveUp = <T>(kind: string, act: (one: T) => unknown): void => {
      for (const one of scene.all<T>(kind))
        try {
          act(one);
        } catch (error) {
          if (!isTyped(error)) this.findings.faults.push(`giving up a ${kind}: ${(error as Error).stack}`);
        }
    };
    giveUp<posix.PthreadMutex>("mutex", posix.pthread_mutex_unlock);
    giveUp<MappedStream>("stream", (stream) => stream.close());
    giveUp<MappedView>("view", (view) => view.close());
    giveUp<MemoryMappedFile>("map", (map) => map.close());
    giveUp<ShareableList>("list", (list) => list.close());
    giveUp<SharedMemory>("block", (block) => block.close());
    giveUp<SystemSemaphore>("semaphore", (semaphore) => semaphore.close());
    giveUp<posix.Semaphore>("sem", posix.sem_close);
    giveUp<number>("queue", posix.mq_close);
    giveUp<ArrayBuffer>("memory", posix.munmap);
    giveUp<number>("fd", posix.close);
    removeSystemObjects(process.pid);
  }
}
