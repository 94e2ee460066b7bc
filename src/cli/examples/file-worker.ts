/** A cache or a proxy of the load run: works until it is told to stop. */
import { endWithParent, leaveParent, tellParent } from "../demo/parent.js";
import { fileCache } from "./file-cache.js";
import { fileProxy } from "./file-proxy.js";

const [role, shm, ...rest] = process.argv.slice(2);
endWithParent();
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
if (role === "cache") await fileCache(shm, rest[0], stop.signal, tellParent);
else await fileProxy(shm, Number(rest[0]), Number(rest[1]), Number.POSITIVE_INFINITY, stop.signal, tellParent);
leaveParent();
