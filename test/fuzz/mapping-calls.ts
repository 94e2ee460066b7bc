/** Calls of mapped files, named blocks and semaphores, on whatever a scene has. */
import { closeSync, openSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import {
  int16,
  MemoryMappedFile,
  ShareableList,
  SharedMemory,
  string,
  struct,
  SystemSemaphore,
  type MapAccess,
  type MappedStream,
  type MappedView,
  type SharedMemoryLock,
  type ShareableValue,
} from "shmkit";
import type { SystemCalls } from "./system-calls.js";
import type { Scene } from "./system-scene.js";

const Record = struct({ number: int16, text: string(6) });
const ACCESSES = ["read-write", "read-write", "read", "copy-on-write", "read-execute", "read-write-execute"] as const;
const SIZES = [0, 1, 100, 4096, 4096, 4097, 65_536, 200_000] as const;
const PLACES = [0, 0, 1, 7, 4090, 65_535, 65_536, -1, 2 ** 40, 0.5] as const;

export function mappingCalls(scene: Scene): SystemCalls {
  const { random, chance, keep } = scene;
  const on =
    <T>(kind: string, work: (one: T) => unknown) =>
    (): unknown => {
      const one = scene.one<T>(kind);
      return one === undefined ? undefined : work(one);
    };
  const onMap = (work: (map: MemoryMappedFile) => unknown) => on("map", work);
  const onView = (work: (view: MappedView) => unknown) => on("view", work);
  const onStream = (work: (stream: MappedStream) => unknown) => on("stream", work);
  const onBlock = (work: (block: SharedMemory) => unknown) => on("block", work);
  const onList = (work: (list: ShareableList) => unknown) => on("list", work);
  const onSemaphore = (work: (semaphore: SystemSemaphore) => unknown) => on("semaphore", work);
  const access = (): Exclude<MapAccess, "write"> => random.of(ACCESSES);
  const at = (): number => random.of(PLACES);
  const size = (): number => random.of(SIZES);
  const options = () => ({ access: access(), delayAllocatePages: chance(2), timeoutMs: 3 });
  const soon = (): { timeoutMs: number } => ({ timeoutMs: random.below(3) });
  const file = (): string => `${scene.path()}-file`;
  const values: ShareableValue[] = [1, 2n, 1.5, true, null, "text", "longer text", Uint8Array.of(1, 2)];
  /** Everything of the scene that is mapped by path may be cut. */
  const cut = (path: string): void => truncateSync(path, random.of([0, 0, 1, 4096]));
  return {
    "make a file": () => writeFileSync(file(), new Uint8Array(size())),
    "remove a file": () => rmSync(file(), { force: true }),
    "cut a file": () => {
      const map = scene.one<MemoryMappedFile>("map");
      if (map !== undefined) ignoreErrors(() => cut(map.path));
    },
    "cut a block": () => {
      const block = scene.one<SharedMemory>("block");
      if (block !== undefined) ignoreErrors(() => cut(block.path));
    },
    "cut a semaphore": () => {
      const semaphore = scene.one<SystemSemaphore>("semaphore");
      if (semaphore !== undefined) ignoreErrors(() => cut(semaphore.path));
    },
    createFromFile: async () =>
      keep(
        "map",
        await MemoryMappedFile.createFromFile(file(), {
          ...options(),
          mode: random.of(["open", "create-new", "open-or-create", "create"] as const),
          capacity: size(),
        }),
      ),
    createFromFileSync: () => keep("map", MemoryMappedFile.createFromFileSync(file(), options())),
    "createFromFile of a descriptor": () => {
      let fd = -1;
      ignoreErrors(() => (fd = openSync(file(), random.of(["r", "r+"]))));
      try {
        return keep("map", MemoryMappedFile.createFromFileSync(fd, options()));
      } finally {
        if (fd >= 0) closeSync(fd);
      }
    },
    createNew: async () => keep("map", await MemoryMappedFile.createNew(scene.name(), size(), options())),
    createOrOpenSync: () => keep("map", MemoryMappedFile.createOrOpenSync(scene.name(), size(), options())),
    openExistingSync: () => keep("map", MemoryMappedFile.openExistingSync(scene.name(), { access: access() })),
    grow: onMap((map) => map.grow(size())),
    growSync: onMap((map) => map.growSync(size())),
    "close a map": onMap((map) => map.close()),
    createViewAccessor: onMap((map) => keep("view", map.createViewAccessor(at(), random.of([0, 1, 4096]), access()))),
    createViewStream: onMap((map) => keep("stream", map.createViewStream(at(), random.of([0, 1, 4096]), access()))),
    check: onView((view) => view.check()),
    "read numbers": onView((view) => [view.readInt8(at()), view.readFloat64(at()), view.readBoolean(at())]),
    "write numbers": onView((view) => {
      view.writeUint8(at(), random.below(300));
      view.writeInt64(at(), 5n);
      view.writeChar(at(), "x");
    }),
    "read structs": onView((view) => [view.read(Record, at()), view.readArray(Record, at(), [], 0, random.below(3))]),
    "write structs": onView((view) => {
      view.write(Record, at(), { number: 1, text: "a" });
      view.writeArray(Record, at(), [{ number: 1, text: "a" }]);
    }),
    "a cursor": onView((view) => {
      const cursor = view.cursor(Record, at());
      if (cursor.length > 0) cursor.at(random.below(cursor.length)).number = 3;
    }),
    "read bytes": onView((view) => view.readBytes(at(), new Uint8Array(size()))),
    "write bytes": onView((view) => view.writeBytes(at(), new Uint8Array(random.of([0, 1, 4096])))),
    "bytes of a view": onView(({ bytes }) => {
      if (bytes.length === 0) return;
      bytes[random.below(bytes.length)] = 7;
      return bytes.slice(0, 5000);
    }),
    flush: onView((view) => view.flush()),
    flushSync: onView((view) => view.flushSync()),
    "close a view": onView((view) => view.close()),
    "read a stream": onStream((stream) => stream.read(new Uint8Array(random.of([0, 10, 5000])))),
    "write a stream": onStream((stream) => stream.write(new Uint8Array(random.of([0, 10, 5000])))),
    "seek a stream": onStream((stream) => (stream.position = at())),
    "close a stream": onStream((stream) => stream.close()),
    "SharedMemory.create": async () =>
      keep("block", await SharedMemory.create(scene.name(), { size: size(), shared: chance(2) })),
    "SharedMemory.open": () => keep("block", SharedMemory.openSync(scene.name(), { readOnly: chance(3) })),
    "SharedMemory.openOrCreate": async () =>
      keep("block", await SharedMemory.openOrCreate(scene.name(), { size: size() })),
    "use a block": onBlock(({ buffer }) => {
      const bytes = new Uint8Array(buffer);
      if (bytes.length > 0) bytes[random.below(bytes.length)] += 1;
    }),
    "facts of a block": onBlock((block) => [block.isLost, block.attachCount]),
    "lock a block": onBlock(async (block) => keep("lock", await block.lock(scene.soon()))),
    "lock a block, blocking": onBlock((block) => keep("lock", block.lockSync(soon()))),
    "try to lock a block": onBlock((block) => {
      const lock = block.tryLock();
      if (lock !== undefined) keep("lock", lock);
    }),
    "release a block": on<SharedMemoryLock>("lock", (lock) => lock.release()),
    "close a block": onBlock((block) => block.close()),
    "unlink a block": onBlock((block) => block.unlink()),
    "create a list": () => keep("list", ShareableList.createSync(values.slice(random.below(8)), scene.name())),
    "open a list": () => keep("list", ShareableList.openSync(scene.name())),
    "read a list": onList((list) => [...list]),
    "write a list": onList((list) => list.set(random.below(9), random.of(values))),
    "close a list": onList((list) => {
      keep("block", list.memory);
      list.close();
    }),
    "SystemSemaphore.openOrCreate": () =>
      keep("semaphore", SystemSemaphore.openOrCreate(scene.name(), { initial: random.below(3) })),
    "SystemSemaphore.replace": () => keep("semaphore", SystemSemaphore.replace(scene.name())),
    acquire: onSemaphore((semaphore) => semaphore.acquire(scene.soon())),
    acquireSync: onSemaphore((semaphore) => semaphore.acquireSync(soon())),
    tryAcquire: onSemaphore((semaphore) => semaphore.tryAcquire()),
    release: onSemaphore((semaphore) => semaphore.release(random.of([1, 2, 0, 2 ** 31]))),
    value: onSemaphore((semaphore) => semaphore.value),
    "close a semaphore": onSemaphore((semaphore) => semaphore.close()),
    "unlink a semaphore": onSemaphore((semaphore) => semaphore.unlink()),
  };
}

/** What the scene's own means cannot do is no call of the library's. */
function ignoreErrors(act: () => unknown): void {
  try {
    act();
  } catch {
    return;
  }
}
