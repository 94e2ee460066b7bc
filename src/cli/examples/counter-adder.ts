/** A process of the counter's example: adds 1 so many times. */
import { Region } from "#shmkit";
import { endWithParent, leaveParent } from "../demo/parent.js";
import { LOCKS, type Enter, type LockName } from "./locks.js";

const [name, how, times] = process.argv.slice(2);
endWithParent();
const region = await Region.open(name, { label: "adder" });
const count = await region.counters.open("count");
const enter: Enter = how === "nothing" ? () => () => undefined : await LOCKS[how as LockName](region);

await (await region.counters.open("ready")).add();
await (await region.counters.open("go")).waitFor(1);
for (let i = 0; i < Number(times); i++) {
  const leave = enter();
  const seen = count.value; // what another process stores between this line …
  count.setSync(seen + 1n); // … and this one is lost; count.addSync() would do both at once
  leave();
}
await region.close();
leaveParent();
