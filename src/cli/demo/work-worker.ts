/** A working process of the work demo: takes batches under lease, tallies their words, sends the tallies on. */
import { setTimeout as sleep } from "node:timers/promises";
import { Region, type Pipe } from "../../index.js";
import { endWithParent, leaveParent } from "./parent.js";
import { countWords, toMessage, type Tally, type TallyMessage } from "./word-tally.js";

const [name, label] = process.argv.slice(2);
endWithParent();
const region = await Region.open(name, { label });
const batches = (await region.pipes.open("batches")) as Pipe<Uint8Array>;
const tallies = (await region.pipes.open("tallies")) as Pipe<TallyMessage>;

/** Everything was received and acknowledged; what is out on lease elsewhere may still come back. */
function allDone(): boolean {
  const { closed, depth, leased } = batches.statistics();
  return closed && depth === 0 && leased === 0;
}

while (!allDone()) {
  // Two at a time: while one is being acknowledged the other is on lease, so that a kill always finds work unfinished.
  await batches.process(
    async (batch, lease) => {
      const tally: Tally = new Map();
      countWords(Buffer.from(batch.buffer, batch.byteOffset, batch.byteLength), tally);
      // Acknowledged only once this has returned: if this process dies before, the batch is delivered again; if it dies
      // between the two, the tally comes twice and is counted once.
      await tallies.send(toMessage(lease.sequence, tally));
    },
    { concurrency: 2 },
  );
  await sleep(5);
}
await region.close();
leaveParent();
