/** The watching process of the share demo: says when it saw each new value of the counter. */
import { Region } from "#shmkit";
import { endWithParent, hasParent, leaveParent, tellParent } from "./parent.js";
import { clockNs } from "./share.js";

const [manner, roundsText, name] = process.argv.slice(2);
endWithParent();
const region = await Region.open(name, { label: "watcher" });
const [raised, seen, seenAt] = [
  region.counterSync("raised"),
  region.counterSync("seen"),
  region.counterSync("seen at"),
];
tellParent("ready");
for (let round = 1; round <= Number(roundsText) && hasParent(); round++) {
  if (manner === "spinning") raised.waitForSync(round, { timeoutMs: 10_000 });
  else await raised.waitFor(round);
  const at = clockNs();
  seenAt.setSync(at);
  seen.setSync(round);
}
await region.close();
leaveParent();
