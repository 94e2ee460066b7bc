/** A process that gets in and stays there: it is to be killed. */
import { Region } from "#shmkit";
import { endWithParent, tellParent } from "../demo/parent.js";
import { LOCKS, type LockName } from "./locks.js";

const [name, lock] = process.argv.slice(2);
endWithParent();
const region = await Region.open(name, { label: "holder" });
const enter = await LOCKS[lock as LockName](region);
enter();
tellParent("inside");
