import { open, type Region } from "shmkit";
import { type Link, work } from "./link.js";
import { checkBytes, checkObject, Message, messageBytes, smallObject, type SmallObject } from "./messages.js";
import { announce, Duration, Latencies, parseRun, Rate, receiversReady, wrong } from "./run.js";

/** Steps of nanoseconds in one look at the clock, which takes as long as one of them. */
const BATCH = 32;

const run = parseRun();
/** `near` or `far`, and which one where there are several. */
const [side, index = "0"] = run.role.split("-");

/** Blocking: a round trip. */
async function ping(app: Region): Promise<void> {
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
}

async function pong(app: Region): Promise<void> {
  const there = await app.pipe("there");
  const back = await app.pipe("back");
  const message = new Message();
  for (let trips = 0; ; trips++) {
    there.receiveIntoSync(message.bytes);
    if (message.check(trips)) break;
    back.sendBytesSync(message.bytes);
  }
}

/** Blocking: one sender and one receiver of bytes, into one array. */
async function sendBytes(app: Region): Promise<void> {
  const pipe = await app.pipe("messages");
  const message = new Message(messageBytes(run));
  await receiversReady(run);
  const duration = new Duration(run);
  for (let number = 0, isLast = false; !isLast; number++) {
    isLast = duration.isOver(number);
    pipe.sendBytesSync(message.fill(number, isLast));
  }
}

async function receiveBytes(app: Region): Promise<void> {
  const pipe = await app.pipe("messages");
  const message = new Message(messageBytes(run));
  const rate = new Rate(run);
  announce(run);
  for (let number = 0; ; number++) {
    pipe.receiveIntoSync(message.bytes);
    if (message.check(number)) {
      rate.report(number);
      return;
    }
    rate.count(number);
  }
}

/** Blocking: each message in a new array. */
async function receiveFresh(app: Region): Promise<void> {
  const pipe = await app.pipe<Uint8Array>("messages");
  const rate = new Rate(run);
  announce(run);
  for (let number = 0; ; number++) {
    const bytes = pipe.receiveSync();
    if (checkBytes(bytes, number)) {
      rate.report(number);
      return;
    }
    rate.count(number);
  }
}

async function sendObjects(app: Region): Promise<void> {
  const pipe = await app.pipe<SmallObject>("messages");
  await receiversReady(run);
  const duration = new Duration(run);
  for (let number = 0, isLast = false; !isLast; number++) {
    isLast = duration.isOver(number);
    pipe.sendSync(smallObject(number, isLast));
  }
}

async function receiveObjects(app: Region): Promise<void> {
  const pipe = await app.pipe<SmallObject>("messages");
  const rate = new Rate(run);
  announce(run);
  for (let number = 0; ; number++) {
    if (checkObject(pipe.receiveSync(), number)) {
      rate.report(number);
      return;
    }
    rate.count(number);
  }
}

/** Blocking: several senders, whose messages come in order each, and several receivers, who get one last message each. */
async function sendAmongMany(app: Region): Promise<void> {
  const pipe = await app.pipe("messages");
  const message = new Message();
  await receiversReady(run, 2);
  const duration = new Duration(run);
  let number = 0;
  for (let isLast = false; !isLast; number++) {
    isLast = duration.isOver(number);
    pipe.sendBytesSync(message.fill(number, isLast, Number(index)));
  }
  process.stdout.write(`${JSON.stringify({ sent: number - 1 })}\n`);
}

async function receiveAmongMany(app: Region): Promise<void> {
  const pipe = await app.pipe("messages");
  const message = new Message();
  const rate = new Rate(run);
  const last = [-1, -1];
  announce(run);
  for (let count = 0; ; count++) {
    pipe.receiveIntoSync(message.bytes);
    message.check(message.number);
    if (message.number <= last[message.sender]) wrong("message", message.number, `more than ${last[message.sender]}`);
    last[message.sender] = message.number;
    if (message.isLast) {
      rate.report(count);
      return;
    }
    rate.count(count);
  }
}

/** Joining a region that another process has, and leaving it. */
async function attachAgainAndAgain(): Promise<void> {
  const latencies = new Latencies(run);
  let count = 0;
  for (; latencies.next(); count++) {
    const app = await open(run.name);
    latencies.add(1);
    if (app.members().length !== 2) wrong("members", app.members().length, 2);
    await app.close();
  }
  latencies.report(count);
}

/** The asynchronous calls. */
async function linkOver(app: Region): Promise<Link> {
  const isRoundTrip = run.benchmark.endsWith("round-trip");
  const isNear = side === "near";
  const out = await app.pipe(isRoundTrip ? (isNear ? "there" : "back") : "messages");
  const into = isRoundTrip ? await app.pipe(isNear ? "back" : "there") : out;
  return {
    keepsBytes: false,
    carriesObjects: false,
    send: (value) => out.send(value),
    async receive(take) {
      while (!take((await into.receive()) as Uint8Array | SmallObject));
    },
  };
}

async function converse(app: Region): Promise<void> {
  await work(run, await linkOver(app));
}

/** What the two kinds of processes of a benchmark do. */
const SIDES: Record<string, Record<string, (app: Region) => Promise<void>>> = {
  "spin-round-trip": { near: ping, far: pong },
  "parked-round-trip": { near: converse, far: converse },
  "wake-latency": { near: converse, far: converse },
  "spsc-64B": { near: receiveBytes, far: sendBytes },
  "spsc-64B-fresh": { near: receiveFresh, far: sendBytes },
  "spsc-64B-await": { near: converse, far: converse },
  "mpmc-64B": { near: receiveAmongMany, far: sendAmongMany },
  object: { near: receiveObjects, far: sendObjects },
  "object-await": { near: converse, far: converse },
  "bulk-1MiB": { near: receiveBytes, far: sendBytes },
};

if (run.benchmark === "attach") await attachAgainAndAgain();
else {
  const play = SIDES[run.benchmark]?.[side];
  if (play === undefined) throw new Error(`there is no ${run.benchmark} ${run.role}`);
  const app = await open(run.name, { size: "16MiB" });
  await play(app);
  await app.close();
}
