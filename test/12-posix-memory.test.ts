import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Worker } from "node:worker_threads";
import { MemoryMappedFile, Region, SharedMemory } from "shmkit";
import {
  close,
  F_ADD_SEALS,
  F_GET_SEALS,
  F_GETFD,
  F_GETLEASE,
  F_SEAL_FUTURE_WRITE,
  F_SEAL_GROW,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
  F_SETLEASE,
  F_UNLCK,
  F_WRLCK,
  FD_CLOEXEC,
  fcntl,
  fstat,
  ftruncate,
  madvise,
  MADV_DONTNEED,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MAP_SHARED,
  mapping_is_lost,
  memfd_create,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
  MFD_NOEXEC_SEAL,
  mlock,
  mmap,
  mprotect,
  MS_ASYNC,
  msync,
  msyncSync,
  munlock,
  munmap,
  O_CREAT,
  O_EXCL,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  posix_fallocate,
  posix_fallocateSync,
  PROT_EXEC,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
  shm_open,
  shm_unlink,
} from "shmkit/posix";
import { leftovers, uniqueRegionName } from "./helpers/leftovers.js";
import { PosixPeer } from "./helpers/posix-peer.js";
import { messageOf } from "./helpers/spoken.js";
import { failsWith } from "./helpers/system-call-failure.js";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const PAGE = 4096;
const peer = new PosixPeer();

/** Shared memory with a name, of some pages. */
function named(pages = 1): { name: string; fd: number } {
  const name = `/${uniqueRegionName("posix")}`;
  const fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL);
  ftruncate(fd, pages * PAGE);
  return { name, fd };
}

afterEach(() => {
  for (const name of leftovers()) shm_unlink(`/${name}`);
});

describe("shm_open and shm_unlink", () => {
  test("a name that is missing, exists, or can be none", () => {
    const { name, fd } = named();
    failsWith("ENOENT", "shm_open", () => shm_open(`${name}-other`, O_RDWR));
    failsWith("EEXIST", "shm_open", () => shm_open(name, O_RDWR | O_CREAT | O_EXCL));
    for (const impossible of ["/a/b", "/", ""]) failsWith("EINVAL", "shm_open", () => shm_open(impossible, O_RDWR));
    close(fd);
    shm_unlink(name);
    failsWith("ENOENT", "shm_unlink", () => shm_unlink(name));
  });

  test("names of 255, 256 and 5000 characters", () => {
    const longest = `/${uniqueRegionName().padEnd(255, "x")}`;
    close(shm_open(longest, O_RDWR | O_CREAT));
    shm_unlink(longest);
    failsWith("ENAMETOOLONG", "shm_open", () => shm_open(`/${"x".repeat(256)}`, O_RDWR));
    failsWith("EINVAL", "shm_open", () => shm_open(`/${"x".repeat(5000)}`, O_RDWR));
    failsWith("EINVAL", "shm_open", () => shm_open("/x\0y", O_RDWR));
  });

  test("mode, umask and truncation", () => {
    const name = `/${uniqueRegionName()}`;
    const before = process.umask(0o027);
    try {
      close(shm_open(name, O_RDWR | O_CREAT, 0o666));
      assert.equal(statSync(`/dev/shm${name}`).mode & 0o777, 0o640);
    } finally {
      process.umask(before);
    }
    const fd = shm_open(name, O_RDWR);
    ftruncate(fd, 10);
    assert.equal(fstat(fd).st_size, 10);
    close(shm_open(name, O_RDWR | O_TRUNC));
    assert.equal(fstat(fd).st_size, 0);
    close(fd);
  });

  test("the memory outlives its name, and goes with its last mapping", () => {
    const { name, fd } = named();
    const memory = new Uint8Array(mmap(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd));
    close(fd);
    shm_unlink(name);
    assert.equal(existsSync(`/dev/shm${name}`), false);
    memory[0] = 1;
    assert.equal(memory[0], 1);
    munmap(memory);
  });

  test("misuse is an error, and closes nothing of the runtime's", () => {
    assert.throws(() => shm_open(7 as never, O_RDWR), TypeError);
    assert.throws(() => shm_open("/x", Number.NaN), RangeError);
    failsWith("EBADF", "close", () => close(0));
    failsWith("EBADF", "close", () => close(4000));
    const { name, fd } = named();
    close(fd);
    failsWith("EBADF", "close", () => close(fd));
    assert.throws(() => ftruncate(fd, 1), { code: "EBADF", syscall: "ftruncate" });
    shm_unlink(name);
  });

  test("whole numbers that can be none have the errno of C; what is no number names the call and its parameter", async () => {
    const { fd } = named();
    for (const none of [-1, 2 ** 31, -(2 ** 40)]) {
      failsWith("EBADF", "ftruncate", () => ftruncate(none, 0));
      failsWith("EBADF", "fstat", () => fstat(none));
      failsWith("EBADF", "close", () => close(none));
      failsWith("EBADF", "fcntl", () => fcntl(none, F_GETFD));
      await assert.rejects(posix_fallocate(none, 0, 1), { code: "EBADF", syscall: "posix_fallocate" });
    }
    failsWith("EINVAL", "ftruncate", () => ftruncate(fd, -1));
    failsWith("EINVAL", "posix_fallocate", () => posix_fallocateSync(fd, 0, -1));
    await assert.rejects(posix_fallocate(fd, 0, -1), { code: "EINVAL", syscall: "posix_fallocate" });
    failsWith("EINVAL", "mmap", () => mmap(-1, PROT_READ, MAP_SHARED, fd));
    failsWith("EINVAL", "mmap", () => mmap(PAGE, -1, MAP_SHARED, fd));
    failsWith("EINVAL", "mmap", () => mmap(PAGE, PROT_READ, MAP_SHARED, fd, -PAGE));
    const text = "1" as never;
    assert.throws(() => ftruncate(fd, text), { name: "TypeError", message: "ftruncate: length must be a number" });
    assert.throws(() => fstat(text), { message: "fstat: fd must be a number" });
    assert.throws(() => close(0.5), { name: "RangeError", message: "close: fd must be a whole number" });
    await assert.rejects(posix_fallocate(fd, 0, text), { message: "posix_fallocate: len must be a number" });
    close(fd);
  });

  test("a program in C works on the same bytes", async () => {
    const { name, fd } = named(2);
    const bytes = new Uint8Array(mmap(2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd));
    bytes.fill(1);
    assert.deepEqual(await peer.run(["memory", name]), { code: 0, output: String(2 * 2 * PAGE) });
    assert.ok(bytes.every((byte) => byte === 2));
    munmap(bytes);
    close(fd);
  });
});

describe("close", () => {
  test("what was closed by other means is not closed again, whoever has the number now", () => {
    const fd = memfd_create("closed by node:fs");
    closeSync(fd);
    failsWith("EBADF", "close", () => close(fd));
    const other = memfd_create("closed by node:fs as well");
    closeSync(other);
    const taken: number[] = [];
    // The lowest number that is free is the next one.
    do taken.push(openSync("/dev/null", "r"));
    while (!taken.includes(other));
    failsWith("EBADF", "close", () => close(other));
    for (const open of taken) closeSync(open);
  });

  test("nor what regions, maps and SharedMemory have open", async () => {
    const before = new Set(readdirSync("/proc/self/fd"));
    const region = await Region.create(uniqueRegionName("closed"));
    const anonymous = await Region.anonymous();
    const block = await SharedMemory.create(undefined, { size: 100 });
    const map = await MemoryMappedFile.createNew(uniqueRegionName("closed"), 100);
    const fds = readdirSync("/proc/self/fd").filter((fd) => !before.has(fd));
    assert.ok(fds.length >= 4);
    for (const fd of fds) failsWith("EBADF", "close", () => close(Number(fd)));
    block.tryLock()!.release();
    map.close();
    block.close();
    block.unlink();
    await anonymous.close();
    await region.close();
  });
});

describe("memfd_create and fcntl", () => {
  test("memory without a name is handed to a child", async () => {
    for (const flags of [0, MFD_CLOEXEC]) {
      const fd = memfd_create("handed down", flags);
      assert.equal(fcntl(fd, F_GETFD), flags === 0 ? 0 : FD_CLOEXEC);
      ftruncate(fd, PAGE);
      const bytes = new Uint8Array(mmap(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd));
      bytes.set(new TextEncoder().encode("from above"));
      assert.deepEqual(await peer.run(["descriptor", "3"], [fd]), { code: 0, output: "from above" });
      munmap(bytes);
      close(fd);
    }
  });

  test("seals", () => {
    const fd = memfd_create("sealed", MFD_ALLOW_SEALING);
    ftruncate(fd, PAGE);
    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
    assert.equal(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW);
    for (const length of [0, 2 * PAGE]) assert.throws(() => ftruncate(fd, length), { code: "EPERM" });
    const writer = mmap(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
    new Uint8Array(writer)[0] = 5;
    failsWith("EBUSY", "fcntl", () => fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    munmap(writer);
    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE);
    failsWith("EPERM", "mmap", () => mmap(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd));
    const reader = new Uint8Array(mmap(PAGE, PROT_READ, MAP_SHARED, fd));
    assert.equal(reader[0], 5);
    munmap(reader);
    close(fd);
    const unsealable = memfd_create("not to be sealed");
    failsWith("EPERM", "fcntl", () => fcntl(unsealable, F_ADD_SEALS, F_SEAL_GROW));
    close(unsealable);
  });

  test("a seal on writes to come leaves the mappings that write already", () => {
    const fd = memfd_create("sealed", MFD_ALLOW_SEALING);
    ftruncate(fd, PAGE);
    const writer = new Uint8Array(mmap(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd));
    fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE);
    failsWith("EPERM", "mmap", () => mmap(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd));
    const reader = new Uint8Array(mmap(PAGE, PROT_READ, MAP_SHARED, fd));
    writer[0] = 7;
    assert.equal(reader[0], 7);
    munmap(writer);
    munmap(reader);
    close(fd);
  });

  test("what nobody can execute, where the kernel has it", () => {
    let fd: number;
    try {
      fd = memfd_create("no program", MFD_NOEXEC_SEAL);
    } catch (error) {
      // Linux before 6.3.
      assert.equal((error as { code?: string }).code, "EINVAL");
      return;
    }
    assert.equal(fstat(fd).st_mode & 0o111, 0);
    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK);
    close(fd);
  });

  test("pages of another size, and memory that cannot be accessed, are refused", () => {
    const [MFD_HUGETLB, MAP_HUGETLB] = [4, 0x40000];
    failsWith("EINVAL", "memfd_create", () => memfd_create("huge", MFD_HUGETLB));
    failsWith("EINVAL", "mmap", () => mmap(2 ** 21, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1));
    failsWith("ENOTSUP", "mmap", () => mmap(PAGE, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1));
  });

  test("a lease is given while nobody else has the file open or mapped; who then opens it ends nobody", async () => {
    const { name, fd } = named();
    const other = shm_open(name, O_RDONLY);
    const memory = mmap(PAGE, PROT_READ, MAP_SHARED, other);
    close(fd);
    const lease = (): number => fcntl(looking, F_SETLEASE, F_WRLCK);
    const looking = shm_open(name, O_RDONLY);
    failsWith("EAGAIN", "fcntl", lease);
    close(other);
    failsWith("EAGAIN", "fcntl", lease);
    munmap(memory);
    assert.equal(lease(), 0);
    assert.equal(fcntl(looking, F_GETLEASE), F_WRLCK);
    assert.throws(() => openSync(`/dev/shm${name}`, constants.O_RDONLY | constants.O_NONBLOCK), { code: "EAGAIN" });
    // What would have ended the process would have come by now.
    await sleep(10);
    fcntl(looking, F_SETLEASE, F_UNLCK);
    close(shm_open(name, O_RDONLY));
    close(looking);
  });

  test("what could take a descriptor away from the runtime is refused", () => {
    const fd = memfd_create("x");
    const F_DUPFD = 0;
    failsWith("EINVAL", "fcntl", () => fcntl(fd, F_DUPFD, 0));
    close(fd);
    failsWith("EBADF", "fcntl", () => fcntl(fd, F_GETFD));
    failsWith("EINVAL", "memfd_create", () => memfd_create("x".repeat(300)));
  });
});

describe("posix_fallocate", () => {
  test("extends a file, and fails as the manual says", async () => {
    const { name, fd } = named(0);
    posix_fallocateSync(fd, 0, PAGE);
    await posix_fallocate(fd, PAGE, PAGE);
    assert.equal(fstat(fd).st_size, 2 * PAGE);
    assert.ok(fstat(fd).st_blocks >= 16);
    failsWith("EINVAL", "posix_fallocate", () => posix_fallocateSync(fd, 0, 0));
    await assert.rejects(posix_fallocate(fd, 0, 0), { code: "EINVAL", syscall: "posix_fallocate" });
    failsWith("EBADF", "posix_fallocate", () => posix_fallocateSync(4000, 0, 1));
    await assert.rejects(posix_fallocate(4000, 0, 1), { code: "EBADF" });
    const reader = shm_open(name, O_RDONLY);
    failsWith("EBADF", "posix_fallocate", () => posix_fallocateSync(reader, 0, 1));
    close(reader);
    close(fd);
  });
});

describe("posix_fallocate", () => {
  test("honours deadline and abort, and knows no other option", async () => {
    const fd = memfd_create("allocated");
    const reason = new Error("enough");
    await assert.rejects(posix_fallocate(fd, 0, PAGE, { timeoutMs: 0 }), {
      code: "ETIMEDOUT",
      syscall: "posix_fallocate",
    });
    await assert.rejects(posix_fallocate(fd, 0, PAGE, { signal: AbortSignal.abort(reason) }), reason);
    await assert.rejects(posix_fallocate(fd, 0, PAGE, { timeout: 1 } as never), { code: "ERR_UNKNOWN_OPTION" });
    assert.equal(fstat(fd).st_size, 0);
    await posix_fallocate(fd, 0, PAGE, { timeoutMs: 60_000 });
    assert.equal(fstat(fd).st_size, PAGE);
    close(fd);
  });

  test("waits for no thread of the runtime's pool", async () => {
    const folder = mkdtempSync(join(tmpdir(), "shmkit-pool-"));
    const fifo = join(folder, "fifo");
    execFileSync("mkfifo", [fifo]);
    // Each has a thread wait for somebody who reads.
    const opening = Array.from({ length: 16 }, () => open(fifo, "w"));
    const fd = memfd_create("allocated");
    const allocated = posix_fallocate(fd, 0, PAGE).then(() => "allocated");
    const won = await Promise.race([allocated, sleep(10_000, "not before there is a thread in the pool")]);
    const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    for (const handle of await Promise.all(opening)) await handle.close();
    closeSync(reader);
    rmSync(folder, { recursive: true });
    close(fd);
    assert.equal(won, "allocated");
  });
});

describe("mmap and munmap", () => {
  test("an offset is that of a page", () => {
    const { fd } = named(3);
    const all = new Uint8Array(mmap(3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd));
    const second = new Uint8Array(mmap(PAGE, PROT_READ, MAP_SHARED, fd, PAGE));
    all[PAGE + 3] = 9;
    assert.equal(second[3], 9);
    failsWith("EINVAL", "mmap", () => mmap(PAGE, PROT_READ, MAP_SHARED, fd, 100));
    munmap(all);
    munmap(second);
    close(fd);
  });

  test("impossible arguments", () => {
    const { name, fd } = named();
    failsWith("EINVAL", "mmap", () => mmap(0, PROT_READ, MAP_SHARED, fd));
    failsWith("EINVAL", "mmap", () => mmap(PAGE, PROT_READ, 0, fd));
    failsWith("EINVAL", "mmap", () => mmap(PAGE, PROT_READ, MAP_SHARED | MAP_PRIVATE, fd));
    const MAP_FIXED = 0x10;
    failsWith("EINVAL", "mmap", () => mmap(PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd));
    failsWith("EBADF", "mmap", () => mmap(PAGE, PROT_READ, MAP_SHARED, 4000));
    failsWith("EBADF", "mmap", () => mmap(PAGE, PROT_READ, MAP_SHARED, -1));
    // No access of JavaScript's may fault.
    failsWith("ENOTSUP", "mmap", () => mmap(PAGE, 0, MAP_SHARED, fd));
    failsWith("ENOTSUP", "mmap", () => mmap(PAGE, PROT_EXEC, MAP_SHARED, fd));
    const reader = shm_open(name, O_RDONLY);
    failsWith("EACCES", "mmap", () => mmap(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, reader));
    failsWith("EACCES", "mprotect", () => mprotect(mmap(PAGE, PROT_READ, MAP_SHARED, reader), PROT_READ | PROT_WRITE));
    assert.throws(() => mmap("4096" as never, PROT_READ, MAP_SHARED, fd), TypeError);
    close(reader);
    close(fd);
  });

  test("private and anonymous memory", () => {
    const { fd } = named();
    const shared = new Uint8Array(mmap(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd));
    const copy = new Uint8Array(mmap(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd));
    shared[0] = 1;
    assert.equal(copy[0], 1);
    copy[0] = 2;
    assert.equal(shared[0], 1);
    for (const kind of [MAP_SHARED, MAP_PRIVATE]) {
      const nobodys = new Uint8Array(mmap(100, PROT_READ | PROT_WRITE, kind | MAP_ANONYMOUS, -1));
      assert.equal(nobodys.length, 100);
      nobodys.fill(7);
      assert.equal(nobodys[99], 7);
      munmap(nobodys);
    }
    for (const memory of [shared, copy]) munmap(memory);
    close(fd);
  });

  test("what is unmapped reads zeroes, and is no memory for any call any more", async () => {
    const { fd } = named();
    const memory = new Uint8Array(mmap(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd));
    const other = new Uint8Array(mmap(PAGE, PROT_READ, MAP_SHARED, fd));
    memory.fill(3);
    munmap(memory);
    assert.equal(memory[0], 0);
    memory[0] = 4;
    assert.equal(other[0], 3);
    for (const call of [munmap, msyncSync, mlock, munlock, mapping_is_lost])
      assert.throws(() => call(memory), { code: "ERR_INVALID_ARGUMENT" });
    await assert.rejects(msync(memory), { code: "ERR_INVALID_ARGUMENT" });
    assert.throws(() => munmap(new Uint8Array(8)), /mapped by this package/);
    munmap(other);
    close(fd);
  });

  test("a stray write to memory for reading reaches nobody, also after mprotect", () => {
    const { fd } = named();
    const writer = new Uint8Array(mmap(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd));
    const reader = new Uint8Array(mmap(PAGE, PROT_READ, MAP_SHARED, fd));
    writer[0] = 1;
    reader[1] = 8;
    assert.deepEqual([...writer.subarray(0, 2)], [1, 0]);
    mprotect(reader, PROT_READ | PROT_WRITE);
    assert.equal(reader[1], 0);
    reader[1] = 9;
    assert.equal(writer[1], 9);
    mprotect(reader, PROT_READ);
    assert.equal(reader[1], 9);
    reader[1] = 10;
    assert.equal(writer[1], 9);
    failsWith("ENOTSUP", "mprotect", () => mprotect(writer, 0));
    failsWith("EINVAL", "mprotect", () => mprotect(writer, 0x100));
    munmap(writer);
    munmap(reader);
    close(fd);
  });

  test("a mapping whose file becomes shorter is lost, and the process lives", async () => {
    const { fd } = named(2);
    const memory = new Uint8Array(mmap(2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd));
    memory.fill(1);
    assert.equal(mapping_is_lost(memory), false);
    ftruncate(fd, 0);
    assert.equal(memory[PAGE], 0);
    memory[0] = 1;
    assert.equal(mapping_is_lost(memory), true);
    failsWith("EIO", "msync", () => msyncSync(memory));
    await assert.rejects(msync(memory), { code: "EIO" });
    failsWith("EIO", "mprotect", () => mprotect(memory, PROT_READ));
    munmap(memory);
    close(fd);
  });

  test("msync, mlock and madvise", async () => {
    const { fd } = named(2);
    const memory = new Uint8Array(mmap(2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd));
    memory[0] = 1;
    await msync(memory);
    await msync(memory.subarray(PAGE), MS_ASYNC);
    msyncSync(memory);
    failsWith("EINVAL", "msync", () => msyncSync(memory.subarray(1)));
    failsWith("EINVAL", "msync", () => msyncSync(memory, 0x1000));
    mlock(memory.subarray(10, 20));
    munlock(memory);
    madvise(memory, MADV_DONTNEED);
    assert.equal(memory[0], 1);
    const MADV_HWPOISON = 100;
    failsWith("EINVAL", "madvise", () => madvise(memory, MADV_HWPOISON));
    munmap(memory);
    close(fd);
  });

  test("what nobody refers to any more is unmapped", async () => {
    const fd = memfd_create("forgotten memory");
    ftruncate(fd, PAGE);
    const mapped = (): number => readFileSync("/proc/self/maps", "utf8").split("forgotten memory").length - 1;
    for (let times = 0; times < 10; times++) mmap(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
    assert.equal(mapped(), 10);
    while (mapped() > 0) {
      collectGarbage();
      await sleep(1);
    }
    close(fd);
  });

  test("a worker that ends leaves nothing open", async () => {
    const open = (): number =>
      readdirSync("/proc/self/fd").filter((fd) => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`).includes("of a worker");
        } catch {
          return false;
        }
      }).length;
    const worker = new Worker(
      `import("shmkit/posix").then((posix) => {
        const fd = posix.memfd_create("of a worker");
        posix.ftruncate(fd, 4096);
        new Uint8Array(posix.mmap(4096, posix.PROT_READ | posix.PROT_WRITE, posix.MAP_SHARED, fd)).fill(1);
        const { parentPort } = require("node:worker_threads");
        parentPort.once("message", () => undefined);
        parentPort.postMessage("open");
      })`,
      { eval: true },
    );
    const ended = new Promise((resolve) => worker.once("exit", resolve));
    await messageOf(worker);
    assert.ok(open() > 0);
    worker.postMessage("end");
    assert.equal(await ended, 0);
    assert.equal(open(), 0);
  });
});
