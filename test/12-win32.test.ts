/** shmkit/win32 where there is no Windows; on it, `npm run matrix` tries it (test/win32). */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { ShmkitError } from "shmkit";
import * as win32 from "shmkit/win32";
import { ROOT } from "./helpers/tooling.js";

describe("elsewhere than on Windows", () => {
  const calls = Object.entries(win32).filter(
    ([, value]) => typeof value === "function" && !/^class/.test(String(value)),
  ) as unknown as [string, (...args: unknown[]) => unknown][];

  it("has every call, and each is ERR_ADDON, however it is called", async () => {
    assert.equal(calls.length, 21);
    const handle = new (win32.Handle as unknown as new (...args: unknown[]) => win32.Handle)(1, "mutex", "x", false);
    for (const [name, call] of calls)
      for (const args of [[], [1, 2, 3], [handle, 1], [new ArrayBuffer(8)], [false, "name"]])
        await assert.rejects(
          async () => call(...args),
          (error) => {
            const { code, actual } = error as ShmkitError;
            assert.ok(error instanceof ShmkitError, `${name}: ${String(error)}`);
            assert.deepEqual([name, code, actual], [name, "ERR_ADDON", `${process.platform}-${process.arch}`]);
            return true;
          },
        );
  });

  it("has the constants, which are numbers", () => {
    const constants = Object.entries(win32).filter(([, value]) => typeof value !== "function");
    assert.ok(constants.length > 30);
    for (const [name, value] of constants) assert.ok(/^[A-Z_0]+$/.test(name) && Number.isInteger(value), name);
    assert.deepEqual([win32.INFINITE, win32.WAIT_ABANDONED, win32.FILE_MAP_ALL_ACCESS], [2 ** 32 - 1, 128, 0xf001f]);
  });

  it("loads without loading Linux's addon, so that it loads on Windows", () => {
    const script = `
      process.dlopen = () => { throw new Error("an addon was loaded"); };
      import("shmkit/win32").then(({ CreateMutex }) => {
        try { CreateMutex(); } catch ({ code }) { console.log(code); }
      });`;
    const { stdout, stderr } = spawnSync(process.execPath, ["-e", script], { cwd: ROOT, encoding: "utf8" });
    assert.deepEqual([stdout, stderr], ["ERR_ADDON\n", ""]);
  });
});
