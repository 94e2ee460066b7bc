import { inspect } from "node:util";
import { usageLines, type Command, type Invocation } from "../command.js";
import { Children } from "../demo/children.js";
import { CommandError } from "../exit-codes.js";
import { brighten } from "../examples/brighten.js";
import { clientside } from "../examples/clientside.js";
import { counter } from "../examples/counter.js";
import { dequeue, enqueue } from "../examples/deque.js";
import { fileCache } from "../examples/file-cache.js";
import { fileProxy, LEAST_SEGMENT_BYTES } from "../examples/file-proxy.js";
import { LOCKS, type LockName } from "../examples/locks.js";
import { middleside } from "../examples/middleside.js";
import { MAX_NUMBERS, producerConsumer } from "../examples/producer-consumer.js";
import { proxyLoad } from "../examples/proxy-load.js";
import { serverside } from "../examples/serverside.js";
import { sysv } from "../examples/sysv.js";
import { persistence } from "../examples/persistence.js";
import { picture } from "../examples/picture.js";
import { processA, processBOrC } from "../examples/three-processes.js";

/** 30 GB. */
const MAX_PICTURE_SIDE = 100_000;

type Print = (value: unknown) => Promise<void>;

interface Program {
  /** Its arguments, as the help shows them. */
  readonly usage: string;
  /** Fewest and most of them. */
  readonly arguments: readonly [minimum: number, maximum: number];
  /** Whether it knows --reset. */
  readonly resets?: true;
  run(args: readonly string[], signal: AbortSignal, print: Print, reset: boolean): Promise<void>;
}

const PROGRAMS: Readonly<Record<string, Program>> = {
  serverside: {
    usage: "SHM BYTES PIPE CAPACITY",
    arguments: [4, 4],
    run: ([shm, bytes, pipe, capacity], signal, print) =>
      serverside(shm, wholeNumber(bytes), pipe, wholeNumber(capacity), signal, print),
  },
  middleside: {
    usage: "SHM INPIPE OUTPIPE CAPACITY",
    arguments: [4, 4],
    run: ([shm, inPipe, outPipe, capacity], signal, print) =>
      middleside(shm, inPipe, outPipe, wholeNumber(capacity), signal, print),
  },
  clientside: {
    usage: "SHM PIPE",
    arguments: [2, 2],
    run: ([shm, pipe], signal, print) => clientside(shm, pipe, signal, print),
  },
  counter: {
    usage: "[mutex|semaphore|pipe [PROCESSES [TIMES]]]",
    arguments: [0, 3],
    run: ([lock = "mutex", processes = "2", times = "20000"], signal, print) =>
      counter(lockName(lock), atLeast(2, processes), atLeast(1, times), new Children(signal), signal, print),
  },
  "producer-consumer": {
    usage: "[PRODUCERS CONSUMERS [NUMBERS]]",
    arguments: [0, 3],
    run: ([producers = "2", consumers = "2", numbers = "5000"], signal, print) => {
      const count = manyNumbers(1000, numbers);
      const children = new Children(signal);
      return producerConsumer(atLeast(1, producers), atLeast(1, consumers), count, children, signal, print);
    },
  },
  deque: {
    usage: "(enqueue [KEY [NUMBER...]] | dequeue [KEY [COUNT]])",
    arguments: [1, Number.POSITIVE_INFINITY],
    run: ([side, key = "SharedRingBuffer", ...numbers], signal, print) => {
      if (side === "dequeue" && numbers.length <= 1) return dequeue(key, atLeast(1, numbers[0] ?? "1"), signal, print);
      if (side !== "enqueue") throw wrongUsage("expected deque enqueue or deque dequeue");
      return enqueue(key, numbers.length === 0 ? [3] : numbers.map(int32Of), signal, print);
    },
  },
  sysv: {
    usage: "[NUMBERS]",
    arguments: [0, 1],
    run: ([numbers = "500"], signal, print) => sysv(manyNumbers(10, numbers), new Children(signal), print),
  },
  persistence: {
    usage: "FILE [STEPS] [--reset]",
    arguments: [1, 2],
    resets: true,
    run: ([file, steps = "1000"], signal, print, reset) => persistence(file, atLeast(0, steps), reset, signal, print),
  },
  brighten: {
    usage: "FILE AMOUNT [OFFSET [LENGTH]]",
    arguments: [2, 4],
    run: async ([file, amount, offset = "0", length = "0"], _, print) => {
      await brighten(file, wholeNumber(amount), wholeNumber(offset), wholeNumber(length), print);
    },
  },
  picture: {
    usage: "FOLDER [WIDTH [HEIGHT]]",
    arguments: [1, 3],
    run: ([folder, width = "1600", height = "1200"], signal, print) =>
      picture(folder, pictureSide(width), pictureSide(height), new Children(signal), signal, print),
  },
  proxy: {
    usage: "SHM [SEGMENTS [BYTES [ANSWERS]]]",
    arguments: [1, 4],
    run: ([shm, segments, bytes, answers], signal, print) => {
      const most = answers === undefined ? Number.POSITIVE_INFINITY : atLeast(1, answers);
      return fileProxy(shm, ...segmentsOf(segments, bytes), most, signal, print);
    },
  },
  cache: {
    usage: "SHM FOLDER",
    arguments: [2, 2],
    run: ([shm, folder], signal, print) => fileCache(shm, folder, signal, print),
  },
  "proxy-load": {
    usage: "[CLIENTS [SEGMENTS [BYTES]]]",
    arguments: [0, 3],
    run: ([clients = "24", segments, bytes], signal, print) => {
      const [count, segmentBytes] = segmentsOf(segments, bytes);
      const load = { clients: atLeast(1, clients), segments: count, segmentBytes };
      return proxyLoad(load, new Children(signal), signal, print);
    },
  },
  "process-a": { usage: "MAP", arguments: [1, 1], run: ([map], signal, print) => processA(map, signal, print) },
  "process-b": { usage: "MAP", arguments: [1, 1], run: ([map], signal, print) => processBOrC("B", map, signal, print) },
  "process-c": { usage: "MAP", arguments: [1, 1], run: ([map], signal, print) => processBOrC("C", map, signal, print) },
};

export const command: Command = {
  name: "example",
  summary: "short programs that show how processes share memory, to be read and copied",
  usage: Object.entries(PROGRAMS).map(([name, { usage }]) => `${name} ${usage}`),
  about: `serverside, middleside, clientside: the example programs of PicklingTools. serverside makes a region SHM of BYTES and
sends 100 values through PIPE, with a sequence number and two integers of 48 digits; middleside adds a number of its own and
passes them on to OUTPIPE; clientside prints 100. Start them in any order, in three terminals.

counter: PROCESSES (2) add 1 to a number in shared memory, TIMES (20000) each, without a lock until some of it got lost, then
with a mutex, a semaphore of one permit, or a queue with one message in it, when nothing may. Then a process is killed while
it is inside, and the next one has to get in.

producer-consumer: PRODUCERS (2) put NUMBERS (5000) numbers into a bounded buffer in shared memory, CONSUMERS (2) take them
and add them up, with a mutex and two condition variables. One of each is killed on the way, and another one takes its place;
every number must be taken once.

deque: a queue of four numbers in shared memory, after a program for Qt. One process enqueues each NUMBER (3), another dequeues
COUNT (1) of them. Start them in any order, in two terminals; the first makes the memory KEY (SharedRingBuffer) and the last
takes it away.

sysv: as producer-consumer, with the mechanisms of System V and of the C library: a producer and a consumer of NUMBERS (500)
numbers share a segment, in which there are a process-shared, robust mutex and two conditions. Both are killed while they have
the mutex, which the next one is told (EOWNERDEAD).

persistence: sends and works off STEPS (1000) messages through a region in FILE, which stays. Started again it goes on where it
was, also after kill -9 in the middle of work: it says how often it was started, what is done and what waits, and that nothing
is missing. --reset begins anew.

brighten: adds AMOUNT to every channel of the pixels in FILE, four 16-bit numbers each, from OFFSET (0) on, LENGTH bytes or all
that follow; an example of .NET's documentation. The file may be larger than memory, and several processes may work on parts of it.

picture: makes a picture of WIDTH × HEIGHT pixels (1600 × 1200) in FOLDER, as large as the disk allows; two processes brighten two
parts of it through views, and every pixel is compared with what one process computes. before.png and after.png are to be looked
at.

proxy, cache: cache serves the files of FOLDER, proxy is an HTTP server on the loopback interface that gets them from it through
a pool of SEGMENTS (8) of BYTES (8803, at least 128) in the region SHM, in rounds; it prints its address, and ends after so many
ANSWERS if told to. Start them in any order, and as many caches as you like; a file that is not there is 404, one of more than
64 MiB is 413. Whoever may use this machine, and not only its owner, can read the files of FOLDER through the proxy's port.

proxy-load: CLIENTS (24) ask such a proxy for files, all at once, and compare the hash of each. The cache comes after the first of them have asked,
is killed half way, and another one goes on; then both are ended by SIGTERM, which must leave nothing.

process-a, process-b, process-c: the three processes of .NET's documentation of memory-mapped files. A makes MAP and a named
mutex, each writes a Boolean under the mutex, and when all have, A reads and verifies them. Start them in any order.

A wrong number of arguments is exit code 1, as in the originals.`,
  options: {
    reset: { type: "boolean", about: "of persistence: begin anew" },
    json: { type: "boolean", short: "j", about: "errors of shmkit as JSON, on standard error" },
  },
  exitCodes: [1, 4, 5, 141],
  examples: [
    "shmkit example serverside demo 1000000 first 4 & shmkit example middleside demo first second 4 & shmkit example clientside demo second",
    "shmkit example counter semaphore",
    "shmkit example producer-consumer 3 2",
    "shmkit example sysv 1000",
    "shmkit example deque dequeue & shmkit example deque enqueue",
    "shmkit example persistence work.shm; shmkit example persistence work.shm",
    "shmkit example picture /tmp/picture 40000 30000",
    "truncate --size=5G image.data; shmkit example brighten image.data 10 4294967296 8000000",
    "shmkit example cache demo /usr/share/doc & shmkit example proxy demo",
    "shmkit example proxy-load 24 8 8803",
    "shmkit example process-b map & shmkit example process-c map & shmkit example process-a map",
  ],
  completes: Object.keys(PROGRAMS),
  arguments: [0, Number.POSITIVE_INFINITY],
  run: example,
};

async function example(invocation: Invocation): Promise<void> {
  const { signal, terminal } = invocation;
  const [name, ...args] = invocation.positionals;
  const program = Object.hasOwn(PROGRAMS, name ?? "") ? PROGRAMS[name] : undefined;
  const [minimum, maximum] = program?.arguments ?? [0, -1];
  if (program === undefined || args.length < minimum || args.length > maximum)
    throw wrongUsage(`usage: ${usageLines(command).join(" | ")}`);
  const reset = invocation.flag("reset");
  if (reset && program.resets !== true) throw wrongUsage(`${name} has nothing to --reset`);
  const print: Print = (value) =>
    terminal.line(typeof value === "string" ? value : inspect(value, { breakLength: Number.POSITIVE_INFINITY }));
  await program.run(args, signal, print, reset);
}

const wrongUsage = (message: string): CommandError => new CommandError("ERR_USAGE", message, 1);

function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw wrongUsage(`expected a whole number, not ${JSON.stringify(text)}`);
  return Number(text);
}

function atLeast(minimum: number, text: string): number {
  const number = wholeNumber(text);
  if (number < minimum) throw wrongUsage(`expected a whole number of at least ${minimum}, not ${text}`);
  return number;
}

function manyNumbers(minimum: number, text: string): number {
  const numbers = atLeast(minimum, text);
  if (numbers > MAX_NUMBERS) throw wrongUsage(`expected at most ${MAX_NUMBERS} numbers, not ${text}`);
  return numbers;
}

function pictureSide(text: string): number {
  const pixels = atLeast(4, text);
  if (pixels > MAX_PICTURE_SIDE) throw wrongUsage(`expected at most ${MAX_PICTURE_SIDE} pixels, not ${text}`);
  return pixels;
}

function int32Of(text: string): number {
  const number = Number(text);
  if (!/^-?\d+$/.test(text) || number !== (number | 0)) throw wrongUsage(`expected a number of 32 bits, not ${text}`);
  return number;
}

/** The number and size of segments, with the defaults of the course's project. */
function segmentsOf(segments = "8", bytes = "8803"): [segments: number, bytes: number] {
  const segmentBytes = wholeNumber(bytes);
  if (segmentBytes < LEAST_SEGMENT_BYTES)
    throw wrongUsage(`expected segments of at least ${LEAST_SEGMENT_BYTES} bytes, not ${bytes}`);
  return [atLeast(1, segments), segmentBytes];
}

function lockName(text: string): LockName {
  if (!Object.hasOwn(LOCKS, text)) throw wrongUsage(`expected one of ${Object.keys(LOCKS).join(", ")}, not ${text}`);
  return text as LockName;
}
