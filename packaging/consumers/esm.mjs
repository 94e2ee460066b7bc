import { open, Region } from "shmkit";

const name = `consumer-esm-${process.pid}`;
const region = await open(name);
const pipe = await region.pipe("jobs");
await pipe.send({ big: 10n ** 40n });
const { big } = await pipe.receive();
await region.close();
if (big !== 10n ** 40n || Region.inspect(name) !== undefined) throw new Error("not as it should be");
// What a stack or console.log shows.
if (Region.name !== "Region") throw new Error(`the class is called ${Region.name}`);
console.log("ESM");
