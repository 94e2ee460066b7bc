import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { open as openFile, type FileHandle } from "node:fs/promises";
import { get, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fetchTransfer, serveTransfers, type TransferRequest } from "shmkit";
import { fileCache } from "#src/cli/examples/file-cache.js";
import { MOST_FILE_BYTES } from "#src/cli/examples/file-proxy.js";
import { childrenOf, isRunning, run, start, until, type CliProcess } from "./helpers/cli-process.js";
import { joined, regionName } from "./helpers/cli-regions.js";

const namesOf = (name: string): string[] => readdirSync("/dev/shm").filter((file) => file === `shmkit.${name}`);
const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

describe("the proxy and the file cache", () => {
  const folder = mkdtempSync(join(tmpdir(), "shmkit-proxy-"));
  const file = Buffer.alloc(40_000, "abc");
  writeFileSync(join(folder, "file"), file);
  after(() => rmSync(folder, { recursive: true }));

  const addressOf = async (proxy: CliProcess): Promise<string> => {
    await until(() => proxy.soFar.includes("\n"));
    return proxy.soFar.trim();
  };

  test("bring files, whichever starts first, and neither leaves anything behind when it is ended", async () => {
    const name = regionName();
    const cache = start(["example", "cache", name, folder]); // waits for the pool
    const proxy = start(["example", "proxy", name]); // 8 segments of 8803 bytes
    const address = await addressOf(proxy);
    const response = await fetch(`${address}/file`);
    assert.deepEqual([response.status, hashOf(new Uint8Array(await response.arrayBuffer()))], [200, hashOf(file)]);
    for (const path of ["/nothing", "/%2e%2e/%2e%2e/etc/passwd", "/"])
      assert.equal((await fetch(address + path)).status, 404, path);

    cache.kill("SIGINT");
    assert.equal((await cache.ended).signal, "SIGINT");
    const later = fetch(`${address}/file`); // nobody serves it yet
    const next = start(["example", "cache", name, folder]);
    assert.equal((await later).status, 200);
    proxy.kill("SIGTERM");
    next.kill("SIGTERM");
    assert.deepEqual([(await proxy.ended).signal, (await next.ended).signal], ["SIGTERM", "SIGTERM"]);
    assert.deepEqual(namesOf(name), []);
  });

  /** Asks for a path as it is: `fetch` would make another of it. */
  const answerTo = async (address: string, path: string): Promise<IncomingMessage> => {
    const [response] = (await once(get({ ...addressParts(address), path, agent: false }), "response")) as [
      IncomingMessage,
    ];
    response.resume();
    await once(response, "end");
    return response;
  };
  const addressParts = (address: string): { host: string; port: string } => {
    const { hostname: host, port } = new URL(address);
    return { host, port };
  };

  test("answer also what is no path, leads out of the folder, is no file or is too large, and go on", async () => {
    const name = regionName();
    symlinkSync("file", join(folder, "inside"));
    symlinkSync("/etc/passwd", join(folder, "link"));
    symlinkSync("/etc", join(folder, "folder"));
    execFileSync("mkfifo", [join(folder, "fifo")]);
    writeFileSync(join(folder, "large"), "");
    truncateSync(join(folder, "large"), MOST_FILE_BYTES + 1);
    const cache = start(["example", "cache", name, folder]);
    const proxy = start(["example", "proxy", name]);
    const address = await addressOf(proxy);
    for (const [path, status] of [
      ["/%", 400],
      ["/%ff", 400],
      ["//", 400],
      ["/..%2f..%2f..%2fetc/passwd", 404],
      ["/link", 404],
      ["/folder/passwd", 404],
      ["/fifo", 404],
      ["/%00", 404],
      ["/large", 413],
      ["/inside", 200],
    ] as const)
      assert.equal((await answerTo(address, path)).statusCode, status, path);
    proxy.kill("SIGTERM");
    cache.kill("SIGTERM");
    assert.deepEqual([(await proxy.ended).signal, (await cache.ended).signal], ["SIGTERM", "SIGTERM"]);
  });

  test("the proxy counts who got an answer, and passes on any text as the reason of a failure", async () => {
    const name = regionName();
    const proxy = start(["example", "proxy", name, "2", "1000", "1"]);
    const address = await addressOf(proxy);
    const region = await joined("server", name);
    const pool = await region.segmentPools.open("segments");
    const requests = await region.pipe<TransferRequest>("requests");
    const impatient = get({ ...addressParts(address), path: "/file" });
    impatient.on("error", () => undefined);
    await requests.receive();
    impatient.destroy();
    await sleep(200); // a proxy that counts this one ends
    const reason = "no\r\nx-more: 1 \u{1F600}";
    const serving = serveTransfers(pool, requests, () => Promise.reject(new Error(reason)));
    const { statusCode, headers } = await answerTo(address, "/file");
    assert.deepEqual([statusCode, decodeURIComponent(String(headers["x-reason"]))], [502, reason]);
    assert.equal((await proxy.ended).code, 0);
    await requests.close();
    await serving;
  });

  test("the cache keeps a segment until the read into it has ended, also when it is told to stop", async (t) => {
    const name = regionName();
    const region = await joined("proxy", name);
    const pool = await region.segmentPool("segments", { segments: 1, segmentBytes: 1000 });
    const requests = await region.pipe<TransferRequest>("requests");
    const handle = await openFile(join(folder, "file"));
    const handles = Object.getPrototypeOf(handle) as FileHandle;
    await handle.close();
    let [begun, goOn] = [() => {}, () => {}];
    const hasBegun = new Promise<void>((resolve) => (begun = resolve));
    const mayGoOn = new Promise<void>((resolve) => (goOn = resolve));
    // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the handle as this
    const { read } = handles;
    t.mock.method(handles, "read", async function (this: FileHandle, ...args: unknown[]): Promise<unknown> {
      begun();
      await mayGoOn;
      return Reflect.apply(read, this, args) as unknown;
    });
    const stop = new AbortController();
    const cache = fileCache(name, folder, stop.signal, () => undefined);
    const told = fetchTransfer(pool, requests, "file").catch((error: { code: string }) => error.code);
    await hasBegun;
    stop.abort();
    assert.equal(await Promise.race([told, sleep(200, "still under way")]), "still under way");
    goOn();
    assert.equal(await told, "ERR_NOT_HELD");
    await cache;
  });

  test("of more clients than segments serve all, and go on with another cache when one is killed", async () => {
    const { code, text, errors } = await start(["example", "proxy-load", "6", "2", "2000"]).ended;
    assert.equal(errors, "");
    assert.equal(code, 0);
    const lines = text.trimEnd().split("\n");
    assert.match(lines[0], /^6 clients, 2 segments of 2,000 bytes/);
    assert.match(lines[1], /^the cache was killed with \d+ of 60 files through$/);
    assert.match(lines[2], /^60 files verified, \d+ of them asked for again, 6 not found \(404\)$/);
    assert.equal(lines[3], "both were ended by SIGTERM, and nothing is left");
  });

  test("leave nothing and nobody when the load is interrupted", async () => {
    const load = start(["example", "proxy-load", "4"]);
    let children: number[] = [];
    await until(() => (children = childrenOf(load.pid)).length === 2);
    load.kill("SIGINT");
    assert.equal((await load.ended).signal, "SIGINT");
    assert.deepEqual(children.filter(isRunning), []);
    assert.deepEqual(namesOf(`example-${load.pid}`), []);
  });

  test("say what their arguments may be", async () => {
    for (const [args, message] of [
      [["proxy", "x", "8", "127"], /segments of at least 128 bytes, not 127/],
      [["proxy", "x", "0"], /at least 1, not 0/],
      [["cache", "x", "/nonexistent"], /there is no folder \/nonexistent/],
      [["cache", "x", "/proc/self/exe"], /there is no folder/],
      [["proxy-load", "two"], /expected a whole number, not "two"/],
    ] as const) {
      const { code, errors } = await run(["example", ...args]);
      assert.equal(code, 1);
      assert.match(errors, message);
    }
  });
});
