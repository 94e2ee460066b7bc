import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { SharedMemory } from "shmkit";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { hasPython, PythonProcess, runPython } from "./helpers/python.js";
// Fails a file that leaves a name behind.
import "./helpers/process-member.js";

const nameIt = (): string => uniqueRegionName("python");

/** What Python does by itself when it has attached a block: its tracker unlinks it as soon as the process has ended. */
const UNTRACKED = `
import json, sys, time
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
def attach(name):
    shm = SharedMemory(name)
    resource_tracker.unregister(shm._name, "shared_memory")
    return shm
`;

async function block(t: TestContext, size: number): Promise<SharedMemory> {
  const made = await SharedMemory.create(nameIt(), { size });
  t.after(() => {
    made.close();
    made.unlink();
  });
  return made;
}

test("Python attaches to what is made here: the same size, the same bytes", async (t) => {
  if (!hasPython(t)) return;
  const memory = await block(t, 5000);
  new Uint8Array(memory.buffer).set([1, 2, 3], 4997);
  const seen = runPython(
    `${UNTRACKED}
shm = attach(sys.argv[1])
print(json.dumps([shm.name, shm.size, list(shm.buf[4997:])]))
shm.buf[0:4] = b"snek"
shm.close()`,
    memory.name,
  );
  assert.deepEqual(seen, [memory.name, 5000, [1, 2, 3]]);
  assert.equal(Buffer.from(memory.buffer).toString("latin1", 0, 4), "snek");
  assert.equal(memory.attachCount, 1);
});

test("what Python makes is opened here, by the name it gave, and is Python's to read again", async (t) => {
  if (!hasPython(t)) return;
  const python = new PythonProcess(`${UNTRACKED}
shm = SharedMemory(create=True, size=4097)
shm.buf[4096] = 77
print(shm.name)
while shm.buf[0] == 0: time.sleep(0.001)
print(shm.buf[0])
shm.close()
shm.unlink()`);
  const name = await python.line();
  assert.match(name, /^psm_[0-9a-f]{8}$/);
  const memory = await SharedMemory.open(name);
  const bytes = new Uint8Array(memory.buffer);
  assert.deepEqual([memory.size, bytes[4096], memory.created, memory.attachCount], [4097, 77, false, 2]);
  bytes[0] = 8;
  assert.equal(await python.line(), "8");
  await python.ended;
  assert.deepEqual([bytes[4096], memory.attachCount, memory.unlink()], [77, 1, false]);
  memory.close();
});

test("a name that is taken is so for both", async (t) => {
  if (!hasPython(t)) return;
  const memory = await block(t, 1);
  const outcome = runPython(
    `${UNTRACKED}
try: SharedMemory(sys.argv[1], create=True, size=1)
except FileExistsError as error: print(json.dumps(type(error).__name__))`,
    memory.name,
  );
  assert.equal(outcome, "FileExistsError");
});

test("Python's tracker unlinks what it has only attached: who has it goes on, and is told nothing untrue", async (t) => {
  if (!hasPython(t)) return;
  const memory = await block(t, 4096);
  const bytes = new Uint8Array(memory.buffer).fill(6);
  const other = await SharedMemory.open(memory.name);
  t.after(() => other.close());
  // To the end of its tracker, which has the process's standard error.
  const removes = runPython(
    `import json, sys
from multiprocessing.shared_memory import SharedMemory
SharedMemory(sys.argv[1]).close()
print(json.dumps(sys.version_info[:2]))`,
    memory.name,
  );
  const isGone = !readsBack(memory);
  t.diagnostic(`Python ${(removes as number[]).join(".")} ${isGone ? "took the name away" : "left the name alone"}`);
  assert.deepEqual([bytes[4095], memory.isLost, memory.attachCount], [6, false, 1]);
  new Uint8Array(other.buffer)[0] = 1;
  assert.equal(bytes[0], 1);
  memory.tryLock()!.release();
  // What has the name next is not theirs to unlink.
  if (!isGone) memory.unlink();
  const next = await SharedMemory.create(memory.name, { size: 1 });
  assert.deepEqual([memory.unlink(), other.unlink(), next.unlink()], [false, false, true]);
  next.close();
});

function readsBack({ path }: SharedMemory): boolean {
  try {
    return readFileSync(path).length > 0;
  } catch {
    return false;
  }
}

test("its processes are counted for as long as they live; a lock of theirs by fcntl is the lock", async (t) => {
  if (!hasPython(t)) return;
  const memory = await block(t, 4096);
  const script = `${UNTRACKED}
import fcntl
shm = attach(sys.argv[1])
fcntl.lockf(shm._fd, fcntl.LOCK_EX, 1)
print("locked")
time.sleep(1000)`;
  const python = new PythonProcess(script, memory.name);
  assert.equal(await python.line(), "locked");
  assert.deepEqual([memory.attachCount, memory.tryLock()], [2, undefined]);
  const waiting = memory.lock();
  await python.kill();
  const lock = await waiting;
  assert.equal(memory.attachCount, 1);
  const next = new PythonProcess(script, memory.name);
  const line = next.line();
  while (memory.attachCount === 1) await new Promise((resolve) => setTimeout(resolve, 1));
  const first = await Promise.race([line, new Promise((resolve) => setTimeout(() => resolve("waits"), 20))]);
  assert.equal(first, "waits");
  lock.release();
  assert.equal(await line, "locked");
  await next.kill();
});
