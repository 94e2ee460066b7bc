import { once } from "node:events";
import { open as openFile } from "node:fs/promises";
import { join, normalize } from "node:path";
import { open, serveTransfers, type TransferRequest, type TransferSource } from "#shmkit";

/** Files that are read at the same time. */
const CONCURRENCY = 8;

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
  const region = await open(shm, { label: "cache", signal });
  try {
    const pool = await region.segmentPools.open("segments", { wait: true, signal });
    const requests = await region.pipe<TransferRequest>("requests", { signal });
    await print(`serving ${folder}`);
    const serving = serveTransfers(pool, requests, (key) => fileSource(folder, key), { concurrency: CONCURRENCY });
    // What is under way ends with the region: whoever asked asks another cache.
    await Promise.race([serving, once(signal, "abort")]);
  } finally {
    await region.close();
  }
}

/** Reads a file straight into shared memory; undefined when there is none. */
async function fileSource(folder: string, key: string): Promise<TransferSource | undefined> {
  // Made absolute first, no path leads out of the folder.
  const file = await openFile(join(folder, normalize(`/${key}`))).catch(() => undefined);
  if (file === undefined) return undefined;
  const facts = await file.stat();
  if (!facts.isFile()) {
    await file.close();
    return undefined;
  }
  return {
    length: facts.size,
    read: async (target, offset) => (await file.read(target, 0, target.length, offset)).bytesRead,
    close: () => file.close(),
  };
}
