import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { childrenOf, isRunning, run, start, until, type CliProcess } from "./helpers/cli-process.js";
import { regionName } from "./helpers/cli-regions.js";

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
      [["proxy-load", "two"], /expected a whole number, not "two"/],
    ] as const) {
      const { code, errors } = await run(["example", ...args]);
      assert.equal(code, 1);
      assert.match(errors, message);
    }
  });
});
