import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember } from "./helpers/process-member.js";
import { joinRegion, SMALL, testRegion } from "./helpers/process-regions.js";

describe("ref and unref", () => {
  test("say what they did, and answer the region", async (t) => {
    const region = await testRegion(t, "ref");
    assert.equal(region.hasRef(), true);
    assert.equal(region.unref(), region);
    assert.equal(region.hasRef(), false);
    assert.equal(region.ref(), region);
    assert.equal(region.hasRef(), true);
    await region.close();
    assert.equal(region.unref().hasRef(), false, "a closed region");
  });

  for (const when of ["before", "after"] as const)
    test(`pending waits do not keep a process alive, if unref was called ${when} they began`, async () => {
      const member = await ProcessMember.start({ region: uniqueRegionName("unref"), options: SMALL });
      await member.run(async ({ region }, when) => {
        const pipe = await region.pipe("p");
        if (when === "before") region.unref();
        void pipe.receive();
        void pipe.receive({ timeoutMs: 2 ** 40 });
        void pipe.receive({ signal: new AbortController().signal });
        if (when === "after") region.unref();
      }, when);
      assert.deepEqual(await member.finish(), { code: 0, signal: null, output: "" });
    });

  test("with ref they do again, deadlines included, and those of an unreferenced region go on meanwhile", async (t) => {
    const name = uniqueRegionName("ref-again");
    const member = await ProcessMember.start({ region: name, options: SMALL });
    const region = await joinRegion(t, name);
    const pipe = await region.pipe<string>("p");
    const received = member.run(async ({ region }) => {
      const pipe = await region.pipe<string>("p");
      region.unref();
      return pipe.receive();
    });
    await pipe.send("while something else keeps it alive");
    assert.equal(await received, "while something else keeps it alive");
    await member.run(async ({ region }) => {
      const pipe = await region.pipe<string>("p");
      region.ref();
      void pipe.receive().then(async (message) => {
        process.stdout.write(`${message}, `);
        await pipe.receive({ timeoutMs: 50 }).catch((error: Error) => process.stdout.write(error.name));
      });
    });
    const ended = member.finish();
    await pipe.send("kept alive");
    assert.deepEqual(await ended, { code: 0, signal: null, output: "kept alive, TimeoutError" });
  });
});
