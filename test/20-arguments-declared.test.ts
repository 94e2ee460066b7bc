import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import * as shmkit from "shmkit";
import { Region, SharedMemory, SystemSemaphore } from "shmkit";
import { makeThings } from "./helpers/argument-calls.js";
import { failsWith, loose, type Loose } from "./helpers/argument-failures.js";
import { type DeclaredCall, declaredCalls } from "./helpers/declared-options.js";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { SMALL } from "./helpers/process-regions.js";

/** As on the Web, it does not look at options that it does not know. */
const LOOKS_AT_NONE = "lockManager request";

/** What stands for parameters in front of the options, by their types and then by their names. */
const BY_TYPE: Readonly<Record<string, unknown>> = { boolean: false, Integer: 0, number: 1, Size: "512KiB" };
const BY_NAME: Readonly<Record<string, unknown>> = { name: "made", message: 1, callback: () => 0, work: () => 0 };

const calls = declaredCalls();
const titleOf = ({ owner, method }: DeclaredCall): string => `${owner} ${method}`.trim();

describe("each option of each call that the public interface declares", () => {
  let owners: Record<string, object>;
  let values: Record<string, unknown>;

  before(async () => {
    const region = await Region.create(uniqueRegionName("declared"), { ...SMALL, size: "512KiB" });
    const { guard, ...things } = await makeThings(region);
    const rwlock = await region.rwlock("rwlock");
    const collections = Object.entries(region).filter(
      ([, value]) => typeof (value as { list?: unknown } | undefined)?.list === "function",
    );
    const systemSemaphore = SystemSemaphore.create(uniqueRegionName("declared"));
    systemSemaphore.unlink();
    owners = {
      "": shmkit,
      Region,
      MemoryMappedFile: shmkit.MemoryMappedFile,
      ...things,
      sharedEvent: things.event,
      regionReader: await Region.open(region.name, { access: "read" }),
      SharedMemory,
      sharedMemory: things.memory,
      SystemSemaphore,
      systemSemaphore,
      semaphore: await region.semaphore("semaphore"),
      rateLimiter: await region.rateLimiter("rateLimiter"),
      segmentPool: await region.segmentPool("segmentPool"),
      rwLock: rwlock,
      rwLockGuard: await rwlock.lockUpgradable(),
      ...Object.fromEntries(collections.map(([name, value]) => [`region.${name}`, value as object])),
    };
    const bytes = new Uint8Array(8);
    const predicate = (): boolean => true;
    values = {
      ...BY_NAME,
      fields: { a: shmkit.int8 },
      file: "/dev/null",
      guard,
      bytes,
      target: bytes,
      pipes: [things.pipe],
      parts: { flag: shmkit.part.flag() },
      pool: owners["segmentPool"],
      requests: things.pipe,
      key: "key",
      find: () => undefined,
      ticket: (owners["segmentPool"] as shmkit.SegmentPool).acquireSync().handOver(),
      predicate,
      initialise: () => undefined,
    };
  });
  after(() => (owners["region"] as Region).close());

  /** The call with options, with something that it takes in front of them. */
  function callOf({ owner, method, before: parameters }: DeclaredCall): Loose {
    const target = owners[owner] as object | undefined;
    assert.ok(target !== undefined, `there is no ${owner} to call`);
    const taken = parameters.map(({ name, type }) => {
      assert.ok(type in BY_TYPE || name in values, `nothing is known to stand for ${name}: ${type}`);
      return BY_TYPE[type] ?? values[name];
    });
    return async (options) => {
      const answer = loose(target, method)(...taken, options);
      // An iteration begins with its first step.
      if (method === "messages") await (answer as AsyncGenerator).next();
      return answer;
    };
  }

  test("there are many", () => {
    assert.ok(calls.length > 150 && calls.every(({ options }) => options.length > 0), `${calls.length} calls`);
    for (const title of ["open", "Region clean", "region.latches create", "once run", "flag testAndSet", LOOKS_AT_NONE])
      assert.ok(
        calls.some((call) => titleOf(call) === title),
        title,
      );
  });

  for (const declared of calls.filter((call) => titleOf(call) !== LOOKS_AT_NONE))
    test(`${titleOf(declared)} names what was meant: ${declared.options.join(", ")}`, async () => {
      const call = callOf(declared);
      for (const option of declared.options) {
        const misspelt = option.slice(0, -1);
        const error = await failsWith(() => call({ [misspelt]: undefined }), "ERR_UNKNOWN_OPTION");
        assert.ok(error.message.includes(`"${misspelt}"; did you mean "${option}"?`), error.message);
        assert.deepEqual([...(error.expected as string[])].sort(), declared.options);
      }
    });
});
