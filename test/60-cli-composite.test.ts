/** Composites and their parts on the command line: parts are addressed as everything is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { part } from "shmkit";
import { run } from "./helpers/cli-process.js";
import { joined } from "./helpers/cli-regions.js";

test("a composite is shown with its parts, a part is locked as a mutex is, and both are removed as one", async () => {
  const region = await joined();
  const parts = { lock: part.mutex(), lines: part.counter() };
  const trace = await region.composite("trace", parts);
  const [whole, one] = [`${region.name}/trace`, `${region.name}/trace.lock`];
  const guard = await trace.parts.lock.lock();

  const shown = await run(["inspect", whole]);
  assert.match(shown.text, /^composite trace\n.*└─ parts +trace\.lock, trace\.lines\n$/s);
  assert.match((await run(["inspect", one])).text, /^mutex trace\.lock\n.*held +by member 0/s);
  const { objects } = JSON.parse((await run(["inspect", region.name, "--json"])).text) as {
    objects: { name: string; kind: string; parts?: string[] }[];
  };
  assert.deepEqual(
    objects.map(({ name, kind, parts }) => [name, kind, parts]),
    [
      ["trace", "composite", ["trace.lock", "trace.lines"]],
      ["trace.lock", "mutex", undefined],
      ["trace.lines", "counter", undefined],
    ],
  );
  assert.match((await run(["top", "--once", region.name])).text, /trace\.lock +.*tester/);

  const program = ["--", process.execPath, "-e", "process.exitCode = 7"];
  assert.equal((await run(["lock", "--no-wait", one, ...program])).code, 3);
  guard.release();
  assert.equal((await run(["lock", one, ...program])).code, 7);

  const refused = await run(["rm", one]);
  assert.notEqual(refused.code, 0);
  assert.match(
    refused.errors,
    /ERR_WRONG_KIND: .*trace\.lock is a part of .*trace, which can only be removed as a whole/,
  );
  assert.equal((await run(["rm", whole])).code, 0);
  assert.deepEqual(region.composites.list(), []);
  assert.throws(() => trace.parts.lines.value, { code: "ERR_CLOSED" });
});
