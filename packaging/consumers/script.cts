import { open, type Counter } from "shmkit";

async function main(): Promise<void> {
  const region = await open(`consumer-script-${process.pid}`, { size: "1MiB" });
  const counter: Counter = await region.counter("hits");
  const hits: bigint = await counter.add(1);
  await region.close();
  if (hits !== 1n) throw new Error("not as it should be");
  console.log("TypeScript, CommonJS");
}

void main();
