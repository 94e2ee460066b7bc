import { open } from "shmkit";
import { checkObject, Message, smallObject, type SmallObject } from "./messages.js";
import { announce, Duration, Latencies, parseRun, Rate, receiversReady, type Run, wrong } from "./run.js";

/** Trips of a spinning round trip, or locks, in one look at the clock, which takes as long as one of them. */
const BATCH = 32;

const run = parseRun();

/** What each process of each benchmark does. */
const ROLES: Record<string, (run: Run) => Promise<void>> = {
  async "spin-round-trip ping"() {
    const app = await open(run.name);
    const there = await app.pipe("there");
    const back = await app.pipe("back");
    const message = new Message();
    const answer = new Message();
    const latencies = new Latencies(run);
    let trips = 0;
    while (latencies.next()) {
      for (let i = 0; i < BATCH; i++, trips++) {
        there.sendBytesSync(message.fill(trips, false));
        back.receiveIntoSync(answer.bytes);
        answer.check(trips);
      }
      latencies.add(BATCH);
    }
    there.sendBytesSync(message.fill(trips, true));
    latencies.report(trips);
    await app.close();
  },

  async "spin-round-trip pong"() {
    const app = await open(run.name);
    const there = await app.pipe("there");
    const back = await app.pipe("back");
    const message = new Message();
    for (let trips = 0; ; trips++) {
      there.receiveIntoSync(message.bytes);
      if (message.check(trips)) break;
      back.sendBytesSync(message.bytes);
    }
    await app.close();
  },

  async "spsc-64B sender"() {
    const app = await open(run.name);
    const pipe = await app.pipe("messages");
    const message = new Message();
    await receiversReady(run);
    const duration = new Duration(run);
    for (let number = 0; ; number++) {
      const isLast = duration.isOver(number);
      pipe.sendBytesSync(message.fill(number, isLast));
      if (isLast) break;
    }
    await app.close();
  },

  async "spsc-64B receiver"() {
    const app = await open(run.name);
    const pipe = await app.pipe("messages");
    const message = new Message();
    const rate = new Rate(run);
    announce(run);
    for (let number = 0; ; number++) {
      pipe.receiveIntoSync(message.bytes);
      if (message.check(number)) {
        rate.report(number);
        break;
      }
      rate.count(number);
    }
    await app.close();
  },

  async "object sender"() {
    const app = await open(run.name);
    const pipe = await app.pipe<SmallObject>("objects");
    await receiversReady(run);
    const duration = new Duration(run);
    for (let number = 0; ; number++) {
      const isLast = duration.isOver(number);
      pipe.sendSync(smallObject(number, isLast));
      if (isLast) break;
    }
    await app.close();
  },

  async "object receiver"() {
    const app = await open(run.name);
    const pipe = await app.pipe<SmallObject>("objects");
    const rate = new Rate(run);
    announce(run);
    for (let number = 0; ; number++) {
      if (checkObject(pipe.receiveSync(), number)) {
        rate.report(number);
        break;
      }
      rate.count(number);
    }
    await app.close();
  },

  async "mutex alone"() {
    const app = await open(run.name);
    const mutex = await app.mutex("mutex");
    const latencies = new Latencies(run);
    let count = 0;
    while (latencies.next()) {
      for (let i = 0; i < BATCH; i++, count++) {
        const guard = mutex.lockSync();
        if (guard.abandoned) wrong("the lock", "abandoned", "free");
        guard.release();
      }
      latencies.add(BATCH);
    }
    if (mutex.ownerSlot !== undefined) wrong("the lock's owner", mutex.ownerSlot, "nobody");
    latencies.report(count);
    await app.close();
  },
};

const role = ROLES[`${run.benchmark} ${run.role}`];
if (role === undefined) throw new Error(`there is no ${run.benchmark} ${run.role}`);
await role(run);
