/** A program as a user would write it, for the command that the guide gives for a runtime. */
import { open } from "shmkit";

const app = await open(process.argv[2], { size: "128KiB" });
const pipe = await app.pipe<{ n: bigint }>("jobs");
setTimeout(() => void pipe.send({ n: 1n }), 20);
const { n } = await pipe.receive();
await app.close();
console.log(`received ${n}`);
