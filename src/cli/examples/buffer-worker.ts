/** A producer or consumer: works until there is nothing left to do. */
import { Region } from "#shmkit";
import { endWithParent, leaveParent } from "../demo/parent.js";
import { BoundedBuffer } from "./bounded-buffer.js";

const [name, role, numbers] = process.argv.slice(2);
endWithParent();
const region = await Region.open(name, { label: role });
const buffer = await BoundedBuffer.open(region, Number(numbers));
while (await (role === "producer" ? buffer.put() : buffer.take()));
await region.close();
leaveParent();
