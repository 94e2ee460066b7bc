import { open, Pipe, Region, ShmkitError, type Counter, type PipeOptions } from "shmkit";
import shmkit = require("shmkit");

interface Job {
  readonly url: string;
}
const options: PipeOptions = { capacity: 10 };

/** Names that are values and types are both here as well. */
async function main(): Promise<void> {
  const region: Region = await open(`consumer-script-${process.pid}`, { size: "1MiB" });
  const counter: Counter = await region.counter("hits");
  const hits: bigint = await counter.add(1);
  const jobs: Pipe<Job> = await region.pipe<Job>("jobs", options);
  await jobs.send({ url: "https://example.org" });
  const { url }: Job = await jobs.receive();
  // @ts-expect-error a number is no Job
  await jobs.send(1);
  const error: unknown = await jobs.send({ url }, { timeoutMs: -1 }).catch((reason: unknown) => reason);
  const code = error instanceof ShmkitError ? error.code : undefined;
  const isPipe = jobs instanceof Pipe && jobs instanceof shmkit.Pipe;
  await region.close();
  if (hits !== 1n || code !== "ERR_OUT_OF_RANGE" || !isPipe) throw new Error("not as it should be");
  console.log(url.length > 0 ? "TypeScript, CommonJS" : "");
}

void main();
