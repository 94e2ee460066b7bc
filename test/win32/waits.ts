/** Mutexes, events, semaphores and waits, on Windows. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import * as win32 from "shmkit/win32";
import { startPeer, uniqueName } from "./peers.js";

const { CloseHandle, CreateEvent, CreateMutex, CreateSemaphore, ReleaseMutex, ReleaseSemaphore, SetEvent } = win32;
const { WaitForSingleObject, WaitForSingleObjectSync, WAIT_ABANDONED, WAIT_OBJECT_0, WAIT_TIMEOUT } = win32;

const fails = (call: () => unknown, code: string): void =>
  assert.throws(call, (error) => error instanceof win32.Win32Error && error.code === code);
const rejects = (wait: Promise<unknown>, code: string): Promise<void> =>
  assert.rejects(wait, (error) => error instanceof win32.Win32Error && error.code === code);

async function ownedTwice(): Promise<void> {
  const mutex = CreateMutex(true);
  assert.equal(await WaitForSingleObject(mutex, 0), WAIT_OBJECT_0);
  assert.equal(WaitForSingleObjectSync(mutex), WAIT_OBJECT_0);
  for (let i = 0; i < 3; i++) ReleaseMutex(mutex);
  fails(() => ReleaseMutex(mutex), "ERROR_NOT_OWNER");
}

async function excluding(): Promise<void> {
  const name = uniqueName();
  const mapping = win32.CreateFileMapping(win32.INVALID_HANDLE_VALUE, win32.PAGE_READWRITE, 4096, name);
  const words = new Int32Array(win32.MapViewOfFile(mapping, win32.FILE_MAP_WRITE));
  const mutex = CreateMutex(true, `${name}-mutex`);
  const peers = [startPeer("add under a mutex", name), startPeer("add under a mutex", name)];
  await sleep(50);
  assert.equal(words[0], 0);
  ReleaseMutex(mutex);
  for (const { ended } of peers) assert.equal(await ended, 0);
  assert.equal(words[0], 200);
}

/** Others may be waiting by then, or come later. */
async function abandoned(waits: boolean, isSync: boolean): Promise<void> {
  const name = uniqueName();
  const mutex = CreateMutex(false, name);
  const owned = CreateEvent(false, false, `${name}-owned`);
  const peer = startPeer("own a mutex", name);
  await WaitForSingleObject(owned);
  assert.equal(await WaitForSingleObject(mutex, 30), WAIT_TIMEOUT);
  assert.equal(WaitForSingleObjectSync(mutex, 30), WAIT_TIMEOUT);
  fails(() => ReleaseMutex(mutex), "ERROR_NOT_OWNER");
  const waiting = waits ? WaitForSingleObject(mutex) : undefined;
  await peer.kill();
  const found = await (waiting ?? (isSync ? WaitForSingleObjectSync(mutex) : WaitForSingleObject(mutex)));
  assert.equal(found, WAIT_ABANDONED);
  ReleaseMutex(mutex);
  // It is told once.
  assert.equal(await WaitForSingleObject(mutex), WAIT_OBJECT_0);
  ReleaseMutex(mutex);
}

const WORKER = `
  const { workerData, parentPort } = require("node:worker_threads");
  const win32 = require("shmkit/win32");
  const mutex = win32.OpenMutex(win32.MUTEX_ALL_ACCESS, workerData.name);
  parentPort.postMessage(win32.WaitForSingleObjectSync(mutex));
  const never = win32.CreateEvent(true);
  for (let i = 0; i < 10; i++) void win32.WaitForSingleObject(never);
  if (workerData.blocks) win32.WaitForSingleObjectSync(never);
`;

/** A worker that is terminated while it waits, for whatever it is; its mutex is abandoned. */
async function workers(): Promise<void> {
  for (const blocks of [false, true]) {
    const name = uniqueName();
    const mutex = CreateMutex(true, name);
    const worker = new Worker(WORKER, { eval: true, workerData: { name, blocks } });
    await sleep(100);
    ReleaseMutex(mutex);
    assert.deepEqual(await once(worker, "message"), [WAIT_OBJECT_0]);
    assert.equal(await WaitForSingleObject(mutex, 20), WAIT_TIMEOUT);
    await worker.terminate();
    assert.equal(await WaitForSingleObject(mutex), WAIT_ABANDONED);
    ReleaseMutex(mutex);
  }
}

async function turning(): Promise<void> {
  for (const make of [() => CreateMutex(), () => CreateEvent(false, true), () => CreateSemaphore(1, 1)]) {
    const name = uniqueName();
    const [object, taken] = [make(), make()];
    CloseHandle(taken);
    await rejects(WaitForSingleObject(taken), "ERROR_INVALID_HANDLE");
    const worker = object.kind === "mutex" ? await owner(name) : undefined;
    const held = worker === undefined ? object : win32.OpenMutex(win32.MUTEX_ALL_ACCESS, name);
    if (worker === undefined) assert.equal(WaitForSingleObjectSync(object, 0), WAIT_OBJECT_0);
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    assert.equal(await WaitForSingleObject(held, 100), WAIT_TIMEOUT);
    clearInterval(timer);
    assert.ok(turns > 1, `${turns} turns of the event loop`);
    assert.equal(WaitForSingleObjectSync(held, 30), WAIT_TIMEOUT);
    const reason = new Error("enough");
    const controller = new AbortController();
    const aborted = WaitForSingleObject(held, win32.INFINITE, { signal: controller.signal });
    setTimeout(() => controller.abort(reason), 20);
    await assert.rejects(aborted, (error) => error === reason);
    await assert.rejects(WaitForSingleObject(held, 0, { signal: controller.signal }), (error) => error === reason);
    const waiting = [WaitForSingleObject(held), WaitForSingleObject(held, 10_000)];
    setTimeout(() => CloseHandle(held), 20);
    await Promise.all(waiting.map((wait) => rejects(wait, "ERROR_INVALID_HANDLE")));
    await worker?.terminate();
  }
}

/** A thread that has the mutex of a name. */
async function owner(name: string): Promise<Worker> {
  const mutex = CreateMutex(false, name);
  const worker = new Worker(`${WORKER};setInterval(() => {}, 1000)`, { eval: true, workerData: { name } });
  await once(worker, "message");
  CloseHandle(mutex);
  return worker;
}

async function events(): Promise<void> {
  const automatic = CreateEvent(false, true);
  assert.equal(await WaitForSingleObject(automatic), WAIT_OBJECT_0);
  assert.equal(await WaitForSingleObject(automatic, 0), WAIT_TIMEOUT);
  const waits = [WaitForSingleObject(automatic, 300), WaitForSingleObject(automatic, 300)];
  SetEvent(automatic);
  assert.deepEqual((await Promise.all(waits)).sort(), [WAIT_OBJECT_0, WAIT_TIMEOUT]);
  const manual = CreateEvent(true);
  const all = [WaitForSingleObject(manual), WaitForSingleObject(manual)];
  SetEvent(manual);
  assert.deepEqual(await Promise.all(all), [WAIT_OBJECT_0, WAIT_OBJECT_0]);
  assert.equal(WaitForSingleObjectSync(manual), WAIT_OBJECT_0);
  win32.ResetEvent(manual);
  assert.equal(WaitForSingleObjectSync(manual, 0), WAIT_TIMEOUT);
}

async function semaphores(): Promise<void> {
  const name = uniqueName();
  const semaphore = CreateSemaphore(2, 5, name);
  assert.deepEqual([semaphore.alreadyExists, CreateSemaphore(0, 1, name).alreadyExists], [false, true]);
  const peer = startPeer("take of a semaphore", name);
  while (WaitForSingleObjectSync(semaphore, 0) === WAIT_OBJECT_0) {
    ReleaseSemaphore(semaphore);
    await sleep(5);
  }
  assert.equal(ReleaseSemaphore(semaphore), 0);
  assert.equal(await peer.ended, 0);
  assert.equal(ReleaseSemaphore(semaphore, 4), 1);
  fails(() => ReleaseSemaphore(semaphore), "ERROR_TOO_MANY_POSTS");
  fails(() => ReleaseSemaphore(semaphore, 0), "ERROR_INVALID_PARAMETER");
  for (const [initial, most] of [
    [2, 1],
    [-1, 1],
    [0, 0],
  ] as const)
    fails(() => CreateSemaphore(initial, most), "ERROR_INVALID_PARAMETER");
}

/** Whatever comes first, a permit is taken, or it is still there. */
async function nothingLost(): Promise<void> {
  const semaphore = CreateSemaphore(0, 1000);
  let taken = 0;
  for (let i = 0; i < 300; i++) {
    const controller = new AbortController();
    const wait = WaitForSingleObject(semaphore, i % 3 === 0 ? 1 : win32.INFINITE, { signal: controller.signal });
    const counted = wait.then(
      (result) => void (taken += result === WAIT_OBJECT_0 ? 1 : 0),
      () => undefined,
    );
    if (i % 2 === 0) await sleep(1);
    ReleaseSemaphore(semaphore);
    controller.abort();
    await counted;
  }
  let left = 0;
  while (WaitForSingleObjectSync(semaphore, 0) === WAIT_OBJECT_0) left++;
  assert.equal(taken + left, 300);
}

/** More at once than the runtime's pool has threads, or one thread of Windows could wait for. */
async function manyAtOnce(): Promise<void> {
  const event = CreateEvent(true);
  const waits = Array.from({ length: 200 }, () => WaitForSingleObject(event));
  assert.ok((await stat(process.execPath)).size > 0);
  SetEvent(event);
  assert.ok((await Promise.all(waits)).every((result) => result === WAIT_OBJECT_0));
}

export const WAITS = {
  "a mutex is owned by a thread, as often as it was taken": ownedTwice,
  "a mutex keeps two processes apart": excluding,
  "a mutex of a killed process: who waits gets it, abandoned": () => abandoned(true, false),
  "a mutex of a killed process: who comes later gets it, abandoned": () => abandoned(false, false),
  "a mutex of a killed process: who blocks gets it, abandoned": () => abandoned(false, true),
  "workers that are terminated while they wait, with a mutex": workers,
  "waits turn the event loop, and end by time, signal and closing": turning,
  "events with manual and automatic reset": events,
  "semaphores count between processes, to their maximum": semaphores,
  "a wait that is ended in time or too late loses nothing": nothingLost,
  "two hundred waits at once": manyAtOnce,
};
