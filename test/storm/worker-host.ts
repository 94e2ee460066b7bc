/** Workers of a member's process: members of their own, which are terminated in the middle of whatever they do. */
import { appendFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { Random } from "../helpers/process-random.js";
import type { FromMember } from "./member-main.js";
import { now, workerNumber, type Beginning } from "./plan.js";

const MAIN = fileURLToPath(new URL("member-main.js", import.meta.url));
/** Longest life of a worker that has joined. */
const LONGEST_MS = 150;
/** So long one has to join; some are terminated before. */
const LONGEST_JOINING_MS = 3000;

export class WorkerHost {
  private worker: Worker | undefined;
  private number = 0;
  private endsAt = 0;
  private ending: Promise<unknown> | undefined;
  private fault: Error | undefined;

  constructor(
    private readonly host: Beginning,
    private readonly random: Random,
  ) {}

  /** Called now and then: starts a worker, or terminates the one there is. */
  turn(): void {
    if (this.fault !== undefined) throw this.fault;
    if (this.worker === undefined) this.start();
    else if (now() >= this.endsAt && this.ending === undefined) void this.terminate();
  }

  private start(): void {
    const number = workerNumber(this.host.number, ++this.number);
    const beginning: Beginning = {
      region: this.host.region,
      journal: join(dirname(this.host.journal), `${number}`),
      number,
      label: `m${number}`,
      seed: this.random.below(2 ** 31),
      wallClock: this.host.wallClock === true,
    };
    this.worker = new Worker(MAIN, { workerData: beginning });
    this.worker.on("message", (message: FromMember) => {
      if ("fault" in message) this.fault = new Error(message.fault);
      else if ("joined" in message) this.endsAt = Math.min(this.endsAt, now() + this.random.below(LONGEST_MS));
    });
    this.worker.on("error", (error) => (this.fault = error));
    this.endsAt = now() + this.random.below(LONGEST_JOINING_MS);
  }

  private async terminate(): Promise<void> {
    const { worker } = this;
    // The moment of its death, which it cannot write down itself.
    appendFileSync(
      join(dirname(this.host.journal), "terminated"),
      `${workerNumber(this.host.number, this.number)} ${now()}\n`,
    );
    this.ending = worker!.terminate();
    await this.ending;
    this.ending = this.worker = undefined;
  }

  /** Terminates what is there. */
  async end(): Promise<void> {
    if (this.worker !== undefined) await (this.ending ?? this.terminate());
    if (this.fault !== undefined) throw this.fault;
  }
}
