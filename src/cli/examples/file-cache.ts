import { once } from "node:events";
import { constants } from "node:fs";
import { open as openFile, realpath, stat } from "node:fs/promises";
import { join, normalize } from "node:path";
import { open, serveTransfers, type TransferRequest, type TransferSource } from "#shmkit";

/** Files that are read at the same time. */
const CONCURRENCY = 8;
/** Nobody waits for whoever writes to a FIFO, and a link that has come after the path was resolved is not followed. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;

/** Begins a read, and answers how much it has read. */
type Reader = (read: () => Promise<number>) => Promise<number>;

/**
 * A file cache, in the manner of a course's project: serves the files of a folder to the proxy of the same region, through
 * segments that the proxy brings, until the signal aborts. Either may be started first; there may be several caches.
 */
export async function fileCache(
  shm: string,
  folder: string,
  signal: AbortSignal,
  print: (line: string) => unknown,
): Promise<void> {
  const facts = await stat(folder).catch(() => undefined);
  if (!facts?.isDirectory()) throw new Error(`there is no folder ${folder}`);
  const region = await open(shm, { label: "cache", signal });
  const underWay = new Set<Promise<number>>();
  let end: Promise<void> | undefined;
  const reader: Reader = async (read) => {
    if (end !== undefined) {
      await end;
      throw new Error("the cache has ended");
    }
    const reading = read();
    underWay.add(reading);
    return reading.finally(() => underWay.delete(reading));
  };
  try {
    const pool = await region.segmentPools.open("segments", { wait: true, signal });
    const requests = await region.pipe<TransferRequest>("requests", { signal });
    await print(`serving ${folder}`);
    const serving = (): Promise<number> =>
      serveTransfers(pool, requests, (key) => fileSource(folder, key, reader), { concurrency: CONCURRENCY });
    // What is under way ends with the region: whoever asked asks another cache.
    if (!signal.aborted) await Promise.race([serving(), once(signal, "abort")]);
  } finally {
    // The system writes into a segment until a read has ended, and a closed region's segments are somebody else's.
    end = Promise.allSettled(underWay).then(() => region.close());
    await end;
  }
}

/** Reads a file straight into shared memory; undefined when there is none. */
async function fileSource(folder: string, key: string, reader: Reader): Promise<TransferSource | undefined> {
  const path = await pathIn(folder, key).catch(() => undefined);
  const file = path === undefined ? undefined : await openFile(path, OPEN_FLAGS).catch(() => undefined);
  if (file === undefined) return undefined;
  const facts = await file.stat().catch(() => undefined);
  if (!facts?.isFile()) {
    await file.close();
    return undefined;
  }
  return {
    length: facts.size,
    read: (target, offset) => reader(async () => (await file.read(target, 0, target.length, offset)).bytesRead),
    close: () => file.close(),
  };
}

/** Where a file of the folder is; undefined when a key or a link leads out of the folder. */
async function pathIn(folder: string, key: string): Promise<string | undefined> {
  const root = await realpath(folder);
  const path = await realpath(join(root, normalize(`/${key}`)));
  return path.startsWith(join(root, "/")) ? path : undefined;
}
