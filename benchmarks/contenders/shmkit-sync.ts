/** shmkit's objects for synchronisation, by their blocking calls. */
import { open, type MutexGuard, type Region } from "shmkit";
import { announce, Latencies, now, parseRun, receiversReady, wrong } from "./run.js";

/** Pairs of calls in one look at the clock, which takes as long as one of them. */
const BATCH = 32;
/** How long a lock is held that another process waits for. */
const HOLD_NS = 20_000;

const run = parseRun();
const isNear = run.role === "near";

/** In and out again, without others who want the same. */
function alone(pair: () => void): void {
  const latencies = new Latencies(run);
  let count = 0;
  while (latencies.next()) {
    for (let i = 0; i < BATCH; i++, count++) pair();
    latencies.add(BATCH);
  }
  latencies.report(count);
}

async function mutexAlone(app: Region): Promise<void> {
  const mutex = await app.mutex("mutex");
  alone(() => {
    const guard = mutex.lockSync();
    if (guard.abandoned) wrong("the lock", "abandoned", "free");
    guard.release();
  });
  if (mutex.ownerSlot !== undefined) wrong("the lock's owner", mutex.ownerSlot, "nobody");
}

async function semaphoreAlone(app: Region): Promise<void> {
  const semaphore = await app.semaphore("semaphore", { permits: 1 });
  alone(() => semaphore.acquireSync().release());
  if (semaphore.available !== 1) wrong("permits", semaphore.available, 1);
}

async function read(app: Region): Promise<void> {
  const lock = await app.rwlock("rwlock");
  alone(() => lock.lockSharedSync().release());
}

/** One of two readers. */
async function readBesideAnother(app: Region): Promise<void> {
  await receiversReady(run);
  await read(app);
  (await app.counter("over")).setSync(1);
}

/** The other one: reads until the first one has read enough. */
async function readOn(app: Region): Promise<void> {
  const lock = await app.rwlock("rwlock");
  const over = await app.counter("over");
  announce(run);
  while (over.value === 0n) for (let i = 0; i < BATCH; i++) lock.lockSharedSync().release();
}

/** What the words say that two processes count in under one mutex. */
const CONTENDED = { count: 0, over: 1 } as const;

function countOneMore(guard: MutexGuard): number {
  const count = guard.get(CONTENDED.count) + 1;
  guard.set(CONTENDED.count, count);
  return count;
}

/** Tells how much of what is reported as counted is this process's: what all of them tell must add up to that. */
function tellOwn(own: number): void {
  process.stdout.write(`${JSON.stringify({ sent: own })}\n`);
}

/** Two processes lock all the time: the time per lock, whoever has it. */
async function contend(app: Region): Promise<void> {
  const mutex = await app.mutex("mutex");
  const latencies = new Latencies(run);
  await receiversReady(run);
  let own = 0;
  let count = 0;
  while (latencies.next()) {
    let before = -1;
    for (let i = 0; i < BATCH; i++, own++) {
      const guard = mutex.lockSync();
      count = countOneMore(guard);
      if (before < 0) before = count - 1;
      guard.release();
    }
    latencies.add(count - before);
  }
  const guard = mutex.lockSync();
  count = guard.get(CONTENDED.count);
  guard.set(CONTENDED.over, 1);
  guard.release();
  latencies.report(count);
  tellOwn(own);
}

async function contendToo(app: Region): Promise<void> {
  const mutex = await app.mutex("mutex");
  announce(run);
  for (let own = 0; ; own++) {
    const guard = mutex.lockSync();
    if (guard.get(CONTENDED.over) !== 0) {
      guard.release();
      tellOwn(own);
      return;
    }
    countOneMore(guard);
    guard.release();
  }
}

function spin(nanoseconds: number, from = now()): void {
  while (now() - from < nanoseconds);
}

/** What the guarded words of a handover say. */
const WORD = { owner: 0, count: 1, over: 2, seconds: 3, nanoseconds: 4, farCount: 5 } as const;

/** A mutex that two processes want all the time: from its release by one to its possession by the other. */
async function compete(app: Region): Promise<void> {
  const mutex = await app.mutex("mutex");
  const latencies = new Latencies(run);
  const me = isNear ? 1 : 2;
  let own = 0;
  for (let isOver = false; !isOver;) {
    const guard = mutex.lockSync();
    const locked = now();
    const [owner, over] = [guard.get(WORD.owner), guard.get(WORD.over)];
    if (isNear && owner === 2) latencies.put(locked - (guard.get(WORD.seconds) * 1e9 + guard.get(WORD.nanoseconds)));
    own++;
    const total = guard.get(WORD.count) + 1;
    guard.set(WORD.count, total);
    if (!isNear) guard.set(WORD.farCount, own);
    else if (owner !== 0 && !latencies.next()) guard.set(WORD.over, 1);
    isOver = isNear ? over !== 0 && owner !== 2 : over !== 0;
    guard.set(WORD.owner, me);
    spin(HOLD_NS, locked);
    const [seconds, nanoseconds] = process.hrtime();
    guard.set(WORD.seconds, seconds);
    guard.set(WORD.nanoseconds, nanoseconds);
    const farCount = guard.get(WORD.farCount);
    guard.release();
    if (isNear && isOver) {
      if (total !== own + farCount || farCount === 0) wrong("locks counted", total, `${own} and ${farCount}`);
      latencies.report(total);
    }
    spin(HOLD_NS / 2);
  }
}

/** What the words say that two processes take turns by; the owner is 0 for the near one, and 1. */
const TURN = { owner: 0, over: 1 } as const;

/** The turn goes to and fro: each wakes the other one, and waits until it is woken. */
async function takeTurns(app: Region): Promise<void> {
  const mutex = await app.mutex("mutex");
  const [nearCame, farCame] = [await app.condition("near came"), await app.condition("far came")];
  const latencies = new Latencies(run);
  await receiversReady(run);
  const pass = (isOver: boolean): void => {
    const guard = mutex.lockSync();
    guard.set(TURN.owner, 1);
    if (isOver) guard.set(TURN.over, 1);
    farCame.notifyOne();
    nearCame.waitForSync(guard, () => guard.get(TURN.owner) === 0);
    guard.release();
  };
  let count = 0;
  while (latencies.next()) {
    for (let i = 0; i < BATCH; i++, count++) pass(false);
    latencies.add(BATCH);
  }
  pass(true);
  latencies.report(count + 1);
}

async function answerTurns(app: Region): Promise<void> {
  const mutex = await app.mutex("mutex");
  const [nearCame, farCame] = [await app.condition("near came"), await app.condition("far came")];
  announce(run);
  let own = 0;
  for (let isOver = false; !isOver; own++) {
    const guard = mutex.lockSync();
    farCame.waitForSync(guard, () => guard.get(TURN.owner) === 1);
    isOver = guard.get(TURN.over) === 1;
    guard.set(TURN.owner, 0);
    nearCame.notifyOne();
    guard.release();
  }
  tellOwn(own);
}

/** What the two processes of a benchmark do. */
const SIDES: Record<string, Record<string, (app: Region) => Promise<void>>> = {
  mutex: { near: mutexAlone },
  "mutex-contended": { near: contend, far: contendToo },
  "lock-handover": { near: compete, far: compete },
  "rwlock-read": { alone: read, near: readBesideAnother, far: readOn },
  semaphore: { near: semaphoreAlone },
  condition: { near: takeTurns, far: answerTurns },
};

const play = SIDES[run.benchmark]?.[run.role];
if (play === undefined) throw new Error(`there is no ${run.benchmark} ${run.role}`);
const app = await open(run.name, { size: "1MiB" });
await play(app);
await app.close();
