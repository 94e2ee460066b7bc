/** The reading process of the work demo: sends the text of the files it is told of, in batches. */
import { once } from "node:events";
import { Region } from "#shmkit";
import { endWithParent, leaveParent, tellParent } from "./parent.js";
import { pieces } from "./text-files.js";
import type { ReaderOrder } from "./work.js";

const SEPARATOR = Buffer.from("\n");

const [name] = process.argv.slice(2);
endWithParent();
const ordered = once(process, "message");
tellParent("ready");
const [{ files, batchBytes }] = (await ordered) as [ReaderOrder];
const region = await Region.open(name, { label: "reader" });
const batches = await region.pipes.open("batches");
let gathered: Buffer[] = [];
let bytes = 0;
for (const path of files) {
  for (const piece of pieces(path)) {
    gathered.push(piece, SEPARATOR);
    bytes += piece.length;
    if (bytes < batchBytes) continue;
    await batches.send(Buffer.concat(gathered));
    gathered = [];
    bytes = 0;
  }
}
if (bytes > 0) await batches.send(Buffer.concat(gathered));
await batches.close();
await region.close();
leaveParent();
