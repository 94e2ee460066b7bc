const { open, Region, ShmkitError } = require("shmkit");

async function main() {
  const name = `consumer-commonjs-${process.pid}`;
  const region = await open(name);
  const counter = await region.counter("hits");
  const hits = await counter.add(2);
  const error = await region.counter("hits", { start: 1 }).catch((reason) => reason);
  await region.close();
  const { ShmkitError: same } = await import("shmkit");
  if (hits !== 2n || !(error instanceof TypeError) || same !== ShmkitError) throw new Error("not as it should be");
  if (Region.inspect(name) !== undefined) throw new Error(`${name} is left`);
  console.log("CommonJS");
}

main();
