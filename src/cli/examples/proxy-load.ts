import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Region } from "#shmkit";
import type { Child, Children } from "../demo/children.js";
import { CommandError } from "../exit-codes.js";
import { formatCount } from "../figures.js";

/** How often each client asks for each file. */
const TIMES = 2;

/** The load: how many ask, through what. */
export interface Load {
  readonly clients: number;
  readonly segments: number;
  readonly segmentBytes: number;
}

const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/**
 * Clients ask a proxy for files of a cache, all at once, and look at every byte of what comes. The cache comes after the
 * first of them have asked, is killed when half of the files have come, and another one goes on.
 */
export async function proxyLoad(
  { clients, segments, segmentBytes }: Load,
  children: Children,
  signal: AbortSignal,
  print: (line: string) => unknown,
): Promise<void> {
  const shm = `example-${process.pid}`;
  const folder = await mkdtemp(join(tmpdir(), "shmkit-example-"));
  try {
    const sizes = [0, 1, segmentBytes, segmentBytes * 3 + 1, 250_000];
    const files = new Map<string, string>();
    for (const [i, size] of sizes.entries()) {
      const bytes = randomBytes(size);
      files.set(`file-${i}`, hashOf(bytes));
      await writeFile(join(folder, `file-${i}`), bytes);
    }
    const total = clients * TIMES * files.size;
    await print(
      `${clients} clients, ${segments} segments of ${formatCount(segmentBytes)} bytes, files of up to ${formatCount(Math.max(...sizes))} bytes`,
    );

    const start = (...args: (string | number)[]): Child => children.start("../examples/file-worker.js", args);
    const proxy = start("proxy", shm, segments, segmentBytes);
    const address = String(await proxy.says());
    const cacheStarts = async (): Promise<Child> => {
      const cache = start("cache", shm, folder);
      await cache.says();
      return cache;
    };

    let [verified, missing, repeated] = [0, 0, 0];
    let halfIsThrough: () => void = () => undefined;
    const half = new Promise<void>((resolve) => (halfIsThrough = resolve));
    const client = async (): Promise<void> => {
      for (let time = 0; time < TIMES; time++) {
        for (const [name, hash] of files) {
          const response = await fetch(`${address}/${name}`, { signal });
          const bytes = new Uint8Array(await response.arrayBuffer());
          if (response.status !== 200 || hashOf(bytes) !== hash)
            throw new CommandError("ERR_VERIFICATION", `${name} came as ${response.status}, ${bytes.length} bytes`, 1);
          if (response.headers.get("x-attempts") !== "1") repeated++;
          if (++verified * 2 >= total) halfIsThrough();
        }
      }
      const { status } = await fetch(`${address}/../no-such-file`, { signal });
      if (status !== 404) throw new CommandError("ERR_VERIFICATION", `a file that is not there is ${status}`, 1);
      missing++;
    };
    const all = Promise.all(Array.from({ length: clients }, client));
    // Looked at below: a client may fail before.
    all.catch(() => undefined);
    const first = await cacheStarts();
    await Promise.race([half, all]);
    first.kill();
    await first.ended;
    await print(`the cache was killed with ${formatCount(verified)} of ${formatCount(total)} files through`);
    const second = await cacheStarts();
    await all;
    await print(
      `${formatCount(verified)} files verified, ${repeated} of them asked for again, ${missing} not found (404)`,
    );

    for (const child of [second, proxy]) child.terminate();
    await Promise.all([second.succeeds(), proxy.succeeds()]);
    if (Region.inspect(shm) !== undefined) throw new CommandError("ERR_VERIFICATION", `${shm} was left behind`, 1);
    await print("both were ended by SIGTERM, and nothing is left");
  } finally {
    await children.end();
    await Region.remove(shm).catch(() => undefined);
    await rm(folder, { recursive: true });
  }
}
