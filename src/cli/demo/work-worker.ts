/** A working process of the work demo: takes batches under lease, tallies their words, sends the tallies on. */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Region } from "#shmkit";
import { endWithParent, leaveParent, tellParent } from "./parent.js";
import { isDone, LEASES_PER_WORKER } from "./work.js";
import { countWords, toMessage, type Tally, type TallyMessage } from "./word-tally.js";

const [name, label, holdAfter] = process.argv.slice(2);
endWithParent();
const released = once(process, "message");
let tallied = 0;
let holds = false;
const region = await Region.open(name, { label });
const batches = await region.pipes.open<Uint8Array>("batches");
const tallies = await region.pipes.open<TallyMessage>("tallies");

// What is out on lease elsewhere may still come back.
while (!isDone(batches.statistics())) {
  await batches.process(
    async (batch, lease) => {
      if (tallied >= Number(holdAfter)) {
        if (!holds) tellParent("holding a batch");
        holds = true;
        await released;
      }
      const tally: Tally = new Map();
      countWords(Buffer.from(batch.buffer, batch.byteOffset, batch.byteLength), tally);
      // Acknowledged only once this has returned: if this process dies before, the batch is delivered again; if it dies
      // between the two, the tally comes twice and is counted once.
      await tallies.send(toMessage(lease.sequence, tally));
      tallied += batch.length;
    },
    { concurrency: LEASES_PER_WORKER },
  );
  await sleep(5);
}
await region.close();
leaveParent();
