import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { inspect } from "node:util";
import { F_ADD_SEALS, F_SEAL_GROW, fcntl, ftruncate, memfd_create, MFD_ALLOW_SEALING } from "shmkit/posix";
import { native } from "#src/native/addon.js";
import { type NativeAddon, NATIVE_ABI, STAT_FIELDS } from "#src/native/contract.js";
import { NativeFile } from "./helpers/native-file.js";

type Kind = "integer" | "number" | "text" | "boolean" | "function" | "doubles" | "bytes" | "plan";
type Functions = {
  [
    Name in keyof NativeAddon as NativeAddon[Name] extends (...args: never[]) => unknown ? Name : never
  ]: readonly Kind[];
};

/** The kinds of the parameters of every function; the compiler sees to it that none is missing. */
const SIGNATURES: Functions = {
  openTemporary: ["text", "integer"],
  createExclusive: ["text", "integer"],
  openExisting: ["text", "boolean"],
  reopen: ["integer"],
  linkDescriptor: ["integer", "text"],
  linkPath: ["text", "text"],
  unlink: ["text"],
  sameFile: ["text", "integer"],
  stat: ["integer", "doubles"],
  close: ["integer"],
  closeUsers: ["integer"],
  closeAsync: ["integer"],
  truncate: ["integer", "integer"],
  allocate: ["integer", "integer", "integer"],
  allocateAsync: ["integer", "integer", "integer"],
  punch: ["integer", "integer", "integer"],
  effectiveUid: [],
  startTime: [],
  threadId: [],
  randomWord: [],
  sentSignals: ["integer"],
  lock: ["integer", "integer"],
  unlock: ["integer", "integer"],
  probe: ["integer", "integer", "integer"],
  map: ["integer", "integer", "boolean", "boolean", "boolean"],
  closeMapping: ["integer"],
  isLocked: ["integer"],
  pin: ["integer", "integer", "integer"],
  unpin: ["integer"],
  setExitPlan: ["integer", "integer", "plan"],
  wake: ["integer", "integer", "integer"],
  park: ["integer", "integer", "integer", "number"],
  startWaiter: ["integer", "integer", "integer", "integer", "function"],
  refWaiter: ["integer"],
  unrefWaiter: ["integer"],
  watchDeaths: ["integer", "integer"],
  constants: [],
  errorText: ["integer"],
  interrupt: ["integer"],
  join: ["integer", "number"],
  shm_open: ["text", "integer", "integer"],
  shm_unlink: ["text"],
  memfd_create: ["text", "integer", "boolean"],
  fcntl: ["integer", "integer", "integer"],
  posix_fallocate: ["integer", "integer", "integer"],
  posix_fallocate_async: ["integer", "integer", "integer"],
  mmap: ["integer", "integer", "integer", "integer", "integer"],
  mprotect: ["integer", "integer", "integer", "integer"],
  mlock: ["integer", "integer", "integer"],
  munlock: ["integer", "integer", "integer"],
  madvise: ["integer", "integer", "integer", "integer"],
  msync: ["integer", "integer", "integer", "integer"],
  msync_async: ["integer", "integer", "integer", "integer"],
  sem_open: ["text", "integer", "integer", "integer"],
  sem_unlink: ["text"],
  sem_init: ["integer", "integer", "boolean", "integer"],
  sem_at: ["integer", "integer"],
  sem_close: ["integer"],
  sem_trywait: ["integer"],
  sem_post: ["integer"],
  sem_getvalue: ["integer"],
  sem_park: ["integer", "number"],
  sem_wait: ["integer"],
  mutex_init: ["integer", "integer", "integer", "integer"],
  mutex_at: ["integer", "integer"],
  mutex_destroy: ["integer"],
  mutex_trylock: ["integer"],
  mutex_lock: ["integer", "number"],
  mutex_unlock: ["integer"],
  mutex_consistent: ["integer"],
  mutex_depth: ["integer"],
  cond_init: ["integer", "integer", "integer"],
  cond_at: ["integer", "integer"],
  cond_close: ["integer"],
  cond_nap: ["integer", "integer", "number"],
  cond_signal: ["integer", "boolean"],
  mq_open: ["text", "integer", "integer", "integer", "integer", "boolean"],
  mq_unlink: ["text"],
  mq_getattr: ["integer", "doubles"],
  mq_setattr: ["integer", "integer", "doubles"],
  mq_send: ["integer", "bytes", "integer", "number"],
  mq_receive: ["integer", "bytes", "number"],
  mq_send_async: ["integer", "bytes", "integer"],
  mq_receive_async: ["integer", "integer"],
  mq_notify: ["integer"],
  ftok: ["text", "integer"],
  shmget: ["integer", "integer", "integer"],
  shmat: ["integer", "integer"],
  shm_stat: ["integer", "doubles"],
  shm_set: ["integer", "integer", "integer", "integer"],
  shm_command: ["integer", "integer"],
  semget: ["integer", "integer", "integer"],
  semop: ["integer", "doubles", "integer"],
  semop_park: ["integer", "doubles", "integer", "number"],
  semop_async: ["integer", "doubles", "integer"],
  sem_stat: ["integer", "doubles"],
  sem_set: ["integer", "integer", "integer", "integer"],
  sem_command: ["integer", "integer", "integer", "integer"],
  sem_values: ["integer", "doubles", "boolean"],
  msgget: ["integer", "integer"],
  msgsnd: ["integer", "integer", "bytes", "integer", "number"],
  msgsnd_async: ["integer", "integer", "bytes", "integer"],
  msgrcv: ["integer", "bytes", "integer", "integer", "number", "doubles"],
  msgrcv_async: ["integer", "integer", "integer", "integer"],
  msg_stat: ["integer", "doubles"],
  msg_set: ["integer", "integer", "integer", "integer", "integer"],
  msg_remove: ["integer"],
};

/** Functions of System V's mechanisms, which anybody's objects can be named to. */
const OF_SYSTEM_V = /^(?:shm|sem|msg)(?:get$|at$|snd|rcv|op|_stat$|_set$|_command$|_values$|_remove$)/;
/** A key and an identifier that nothing has. */
const NOBODYS = 2 ** 31 - 1;

/** Functions whose first argument is a mapping, a semaphore, a mutex, a condition; that answer something else than a number. */
const OF_MAPPINGS = /mapping|pin|Plan|wake|park|aiter|watch|mprotect|mlock|munlock|madvise|msync|_init|_at$|isLocked/i;
const OF_SEMAPHORES = /^sem_(?:close|trywait|post|getvalue|park|wait)$/;
const OF_MUTEXES = /^mutex_(?:destroy|trylock|lock|unlock|consistent|depth)$/;
const OF_CONDITIONS = /^cond_(?:close|nap|signal)$/;
const OF_THE_SYSTEM = ["constants", "errorText"];
/** Their numbers are no descriptors. */
const NO_DESCRIPTOR = /Uid$|^randomWord$/;
/** Functions that would take all the memory that they are asked for: their file is one that cannot grow. */
const ALLOCATING = ["allocate", "allocateAsync", "posix_fallocate", "posix_fallocate_async"];

class Valued {
  valueOf(): number {
    throw new Error("arguments are never converted");
  }
}

const HOSTILE: readonly unknown[] = [
  undefined,
  null,
  Number.NaN,
  -1,
  0.5,
  -0,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  2 ** 60,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  1n,
  2n ** 70n,
  true,
  "",
  "x",
  "x\0y",
  "x".repeat(4097),
  "\u{1F600}".repeat(1025),
  "\ud800",
  {},
  [],
  [1],
  Symbol("s"),
  new Valued(),
  () => undefined,
  new Float64Array(STAT_FIELDS - 1),
  new Float32Array(STAT_FIELDS),
  new ArrayBuffer(64),
  new Proxy({}, { get: () => Number.NaN }),
  Object.freeze({ path: 1 }),
];

/** What a function is given in place of what it wants; 0 is a key of a new object, the first identifier, and the command that removes it. */
const hostileTo = (name: string): readonly unknown[] =>
  OF_SYSTEM_V.test(name) ? HOSTILE.filter((value) => value !== 0) : HOSTILE;

/** What a value of the right kind may be: everything else is refused by an exception. */
const FITS: Record<Kind, (value: unknown) => boolean> = {
  integer: (value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= Number.MAX_SAFE_INTEGER,
  number: (value) => typeof value === "number" && value >= 0,
  text: (value) => typeof value === "string" && !value.includes("\0") && Buffer.byteLength(value) <= 4096,
  boolean: (value) => typeof value === "boolean",
  function: (value) => typeof value === "function",
  doubles: (value) => value instanceof Float64Array,
  bytes: () => false,
  plan: () => false,
};

const PLAN = { path: "", attachLockOffset: 1, livenessOffset: 2, livenessCount: 3, stateOffset: 4, closedValue: 5 };

/** An argument that a function would take, over a file without any content of worth. */
const GOOD: Record<Exclude<Kind, "integer">, unknown> = {
  number: 0,
  text: "no-such-file",
  boolean: true,
  function: () => undefined,
  doubles: new Float64Array(STAT_FIELDS * 2),
  bytes: new Uint8Array(64),
  plan: PLAN,
};

const addon = native as unknown as Record<string, (...args: unknown[]) => unknown>;
const folder = mkdtempSync(join(tmpdir(), "shmkit-arguments-"));
const cwd = process.cwd();
/** Some calls that are under way keep no process alive. */
const alive = setInterval(() => undefined, 1000);
const sealed = memfd_create("sealed", MFD_ALLOW_SEALING);
before(() => {
  process.chdir(folder);
  ftruncate(sealed, 4096);
  fcntl(sealed, F_ADD_SEALS, F_SEAL_GROW);
});
after(() => {
  native.close(sealed);
  clearInterval(alive);
  process.chdir(cwd);
  rmSync(folder, { recursive: true });
});

/** Calls and answers how it went; anything but a number, a mapping, a promise or misuse fails. */
async function outcome(name: string, args: unknown[]): Promise<"refused" | number> {
  let answer: unknown;
  try {
    answer = addon[name](...args);
  } catch (error) {
    assert.ok(error instanceof TypeError || error instanceof RangeError, `${name}: ${String(error)}`);
    assert.match(error.message, /^\w+: \w+ must be /);
    return "refused";
  }
  if (OF_THE_SYSTEM.includes(name)) return 0;
  if (answer instanceof Promise) answer = await answer;
  if (typeof answer === "object" && answer !== null && "promise" in answer) answer = await answer.promise;
  if (typeof answer === "object" && answer !== null) answer = addon["closeMapping"]((answer as { id: number }).id);
  assert.equal(typeof answer, "number", name);
  if (!NO_DESCRIPTOR.test(name) && (answer as number) > 0) addon["close"](answer);
  return answer as number;
}

/** Good arguments of a function: a descriptor or a mapping first, then words inside the file. */
function goodArguments(name: string, kinds: readonly Kind[], file: NativeFile): unknown[] {
  return kinds.map((kind, index) => {
    if (kind !== "integer") return GOOD[kind];
    if (OF_SYSTEM_V.test(name)) return index === 0 ? NOBODYS : 0;
    if (OF_SEMAPHORES.test(name)) return native.sem_init(file.id, 0, true, 64);
    if (OF_MUTEXES.test(name) || (OF_CONDITIONS.test(name) && index === 1)) return native.mutex_init(file.id, 64, 0, 0);
    if (OF_CONDITIONS.test(name)) return native.cond_init(file.id, 256, 0);
    if (index === 0 && ALLOCATING.includes(name)) return sealed;
    if (index === 0) return OF_MAPPINGS.test(name) ? file.id : file.descriptor;
    // Nothing is created.
    if (index === 1 && name.endsWith("_open")) return 0;
    if (index === 1 && ["pin", "setExitPlan", "watchDeaths", "sameFile"].includes(name)) return file.descriptor;
    return 64;
  });
}

describe("arguments", () => {
  test("the contract's version, and nothing that the contract does not name", () => {
    assert.equal(native.abi, NATIVE_ABI);
    assert.equal(typeof native.hasExternalSharedArrayBuffer, "boolean");
    const names = [...Object.keys(SIGNATURES), "abi", "hasExternalSharedArrayBuffer"];
    assert.deepEqual(Object.keys(native).sort(), names.sort());
  });

  for (const [name, kinds] of Object.entries(SIGNATURES)) {
    test(`${name} survives any argument in any place`, async () => {
      for (let place = 0; place < kinds.length; place++) {
        const kind = kinds[place];
        for (const value of hostileTo(name)) {
          using file = NativeFile.create("hostile");
          const args = goodArguments(name, kinds, file);
          args[place] = value;
          const how = await outcome(name, args);
          if (!FITS[kind](value))
            assert.ok(
              how === "refused" || isRefusedInC(value, how) || acceptsNegative(name, place, value),
              describeCall(name, args),
            );
        }
      }
    });

    test(`${name} survives missing and surplus arguments, and hostile ones everywhere`, async () => {
      using file = NativeFile.create("count");
      const good = goodArguments(name, kinds, file);
      for (let count = 0; count < kinds.length; count++) {
        assert.equal(await outcome(name, good.slice(0, count)), "refused", `${name} with ${count} arguments`);
      }
      for (const value of hostileTo(name)) await outcome(name, Array<unknown>(10).fill(value));
    });
  }

  test("32-bit patterns may be written as signed or unsigned numbers, nothing larger", () => {
    using file = NativeFile.create("bits");
    file.words[0] = -1;
    for (const same of [-1, 2 ** 32 - 1]) assert.equal(native.park(file.id, 0, same, 0), -constants.errno.ETIMEDOUT);
    for (const wrong of [2 ** 32, -(2 ** 31) - 1]) assert.throws(() => native.park(file.id, 0, wrong, 0), RangeError);
    assert.throws(() => native.wake(file.id, 0, 0), RangeError);
  });

  test("words lie inside the mapping and are aligned", () => {
    using file = NativeFile.create("words", { fileBytes: 4096, mapBytes: 4098 });
    assert.equal(native.wake(file.id, 4092, -1), 0);
    for (const offset of [1, 2, 4093, 4095, 4096, 4098, 2 ** 52]) {
      assert.throws(() => native.wake(file.id, offset, -1), RangeError, `${offset}`);
    }
  });

  test("what is to be filled is long enough", () => {
    using file = NativeFile.create("short");
    const short = new Float64Array(3);
    assert.throws(() => native.stat(file.descriptor, new Float64Array(STAT_FIELDS - 1)), RangeError);
    for (const fill of ["mq_getattr", "shm_stat", "sem_stat", "msg_stat"])
      assert.throws(() => addon[fill](NOBODYS, short), RangeError);
    assert.throws(() => native.semop(NOBODYS, short, 2), RangeError);
  });

  test("a plan's getter may throw, or close the mapping", () => {
    using file = NativeFile.create("getter");
    const plan = (path: () => string) => ({
      ...PLAN,
      get path() {
        return path();
      },
    });
    const failure = new Error("from the getter");
    const throws = plan(() => {
      throw failure;
    });
    assert.throws(
      () => native.setExitPlan(file.id, file.descriptor, throws),
      (error) => error === failure,
    );
    const closes = plan(() => {
      native.closeMapping(file.id);
      return "";
    });
    assert.equal(native.setExitPlan(file.id, file.descriptor, closes), -constants.errno.EBADF);
  });

  test("functions are no constructors to trip over and need no receiver", () => {
    const threadId = addon["threadId"];
    assert.equal(threadId(), native.threadId());
    assert.equal(Reflect.apply(threadId, null, []), threadId());
    assert.doesNotThrow(() => {
      try {
        Reflect.construct(threadId, []);
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
      }
    });
  });
});

/** Whole numbers that are no descriptor, length or identifier are refused as the system refuses others. */
const isRefusedInC = (value: unknown, how: number): boolean =>
  Number.isInteger(value) && [-constants.errno.EBADF, -constants.errno.EINVAL].includes(how);

/** Bit patterns (`expected`, `sampled`, `mask`, keys) may be negative, as the descriptor of anonymous memory is, and types of messages. */
function acceptsNegative(name: string, place: number, value: unknown): boolean {
  if (name === "mmap" && place === 3) return value === -1;
  const signed: Record<string, readonly number[]> = {
    ...{ wake: [2], park: [2], startWaiter: [3], shmget: [0], semget: [0], msgget: [0], sem_command: [3] },
    ...{ msgsnd: [1], msgsnd_async: [1], msgrcv: [2], msgrcv_async: [2] },
    ...{ shm_set: [1, 2], sem_set: [1, 2], msg_set: [1, 2] },
  };
  return signed[name]?.includes(place) === true && Number.isInteger(value) && (value as number) >= -(2 ** 31);
}

function describeCall(name: string, args: unknown[]): string {
  return `${name}(${args.map((value) => inspect(value)).join(", ")}) was not refused`;
}
