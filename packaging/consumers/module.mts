import { open, type Lease, type Pipe } from "shmkit";

interface Job {
  readonly url: string;
}

const region = await open(`consumer-module-${process.pid}`, { size: "1MiB" });
const jobs: Pipe<Job> = await region.pipe<Job>("jobs", { capacity: 10 });
await jobs.send({ url: "https://example.org" });
const lease: Lease<Job> = await jobs.receive({ lease: true, timeoutMs: 1000 });
const { url }: Job = lease.value;
lease.ack();
// @ts-expect-error a number is no Job
await jobs.send(1).catch(() => undefined);
await region.close();
console.log(url.length > 0 ? "TypeScript, ESM" : "");
