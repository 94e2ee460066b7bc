/** What ends in errors, on Windows. */
import assert from "node:assert/strict";
import * as win32 from "shmkit/win32";
import { uniqueName } from "./peers.js";

const { CloseHandle, CreateEvent, CreateFileMapping, CreateMutex, CreateSemaphore } = win32;

function codeOf(call: () => unknown): string {
  try {
    call();
    return "none";
  } catch (error) {
    return (error as { code: string }).code;
  }
}

function facts(): void {
  const name = uniqueName();
  assert.throws(
    () => win32.OpenEvent(win32.EVENT_ALL_ACCESS, name),
    (error) => {
      assert.ok(error instanceof win32.Win32Error && error instanceof Error);
      assert.deepEqual(
        [error.name, error.code, error.errno, error.syscall, error.path],
        ["Win32Error", "ERROR_FILE_NOT_FOUND", 2, "OpenEvent", name],
      );
      assert.match(error.message, /^ERROR_FILE_NOT_FOUND: .+ OpenEvent '.+'$/);
      return true;
    },
  );
}

/** A name is of one object, whatever its kind. */
function names(): void {
  const name = uniqueName();
  const mutex = CreateMutex(false, name);
  assert.deepEqual(
    [
      codeOf(() => CreateEvent(true, false, name)),
      codeOf(() => CreateSemaphore(0, 1, name)),
      codeOf(() => CreateFileMapping(win32.INVALID_HANDLE_VALUE, win32.PAGE_READWRITE, 1, name)),
      codeOf(() => win32.OpenFileMapping(win32.FILE_MAP_READ, name)),
      codeOf(() => win32.OpenSemaphore(win32.SYNCHRONIZE, name)),
    ],
    Array.from({ length: 5 }, () => "ERROR_INVALID_HANDLE"),
  );
  assert.equal(CreateMutex(false, name).alreadyExists, true);
  // Without a prefix it is the session's as well; letters count.
  assert.equal(
    codeOf(() => win32.OpenMutex(win32.SYNCHRONIZE, `${name}x`)),
    "ERROR_FILE_NOT_FOUND",
  );
  CloseHandle(win32.OpenMutex(win32.SYNCHRONIZE, name.slice("Local\\".length)));
  CloseHandle(mutex);
  for (const [bad, code] of [
    ["", "ERROR_INVALID_NAME"],
    ["a\0b", "ERROR_INVALID_NAME"],
    ["x".repeat(4097), "ERROR_FILENAME_EXCED_RANGE"],
    ["a\\b\\c", "ERROR_PATH_NOT_FOUND"],
  ])
    assert.deepEqual([codeOf(() => CreateMutex(false, bad)), bad], [code, bad]);
}

function rights(): void {
  const name = uniqueName();
  CreateSemaphore(1, 2, name);
  const waiting = win32.OpenSemaphore(win32.SYNCHRONIZE, name);
  assert.equal(
    codeOf(() => win32.ReleaseSemaphore(waiting)),
    "ERROR_ACCESS_DENIED",
  );
  const releasing = win32.OpenSemaphore(win32.SEMAPHORE_MODIFY_STATE, name);
  assert.equal(win32.ReleaseSemaphore(releasing), 1);
  assert.equal(
    codeOf(() => win32.WaitForSingleObjectSync(releasing)),
    "ERROR_ACCESS_DENIED",
  );
  const event = uniqueName();
  CreateEvent(true, false, event);
  const looking = win32.OpenEvent(win32.SYNCHRONIZE, event);
  assert.equal(
    codeOf(() => win32.SetEvent(looking)),
    "ERROR_ACCESS_DENIED",
  );
}

/** One of each kind, open or closed. */
const handles = (): win32.Handle[] => [
  CreateFileMapping(win32.INVALID_HANDLE_VALUE, win32.PAGE_READWRITE, 4096),
  CreateMutex(),
  CreateEvent(true),
  CreateSemaphore(1, 1),
];

function closed(): void {
  for (const handle of handles()) {
    CloseHandle(handle);
    assert.equal(
      codeOf(() => CloseHandle(handle)),
      "ERROR_INVALID_HANDLE",
    );
    const calls: Readonly<Record<string, () => unknown>> = {
      "file mapping": () => win32.MapViewOfFile(handle as win32.Handle<"file mapping">, win32.FILE_MAP_READ),
      mutex: () => win32.ReleaseMutex(handle as win32.Handle<"mutex">),
      event: () => win32.SetEvent(handle as win32.Handle<"event">),
      semaphore: () => win32.WaitForSingleObjectSync(handle as win32.Handle<"semaphore">),
    };
    assert.equal(codeOf(calls[handle.kind]), "ERROR_INVALID_HANDLE");
  }
}

const HOSTILE: readonly unknown[] = [
  undefined,
  null,
  true,
  -1,
  0,
  1,
  2.5,
  NaN,
  -Infinity,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  1n,
  "",
  "Local\\hostile",
  "C:\\",
  "\\\\.\\pipe\\x",
  Symbol("x"),
  {},
  [],
  () => 1,
  { signal: 5 },
  new ArrayBuffer(8),
  new SharedArrayBuffer(8),
  new Proxy({}, {}),
  Object.create(win32.Handle.prototype),
];

/** Every call with every argument at every place, the others being right or not: errors of this package's, or none. */
async function arguments_(): Promise<void> {
  const calls = Object.entries(win32).filter(
    ([, value]) => typeof value === "function" && !/^class/.test(String(value)),
  );
  assert.ok(calls.length >= 20, `${calls.length} calls`);
  let refused = 0;
  for (const [name, call] of calls as [string, (...args: unknown[]) => unknown][]) {
    const memory = (): ArrayBuffer =>
      win32.MapViewOfFile(CreateFileMapping(-1, win32.PAGE_READWRITE, 4096), win32.FILE_MAP_WRITE);
    for (const first of [...HOSTILE, ...handles(), memory()])
      for (const second of [...HOSTILE, win32.FILE_MAP_WRITE])
        for (const third of [undefined, 0, -1, {}, "Local\\hostile"])
          try {
            if (/^WaitFor/.test(name) && first instanceof win32.Handle && second === undefined) continue;
            if (/^WaitFor/.test(name) && typeof second === "number" && second > 100) continue;
            const answer = call(first, second, third);
            if (answer instanceof Promise) await answer;
            if (answer instanceof win32.Handle) CloseHandle(answer as win32.Handle);
          } catch (error) {
            const { code, syscall, message } = error as { code?: unknown; syscall?: string; message: string };
            const known = typeof code === "string" && /^(ERR_|ERROR_|WAIT_)/.test(code);
            assert.ok(known, `${name}: ${String(code)} ${syscall ?? ""} ${message}`);
            refused++;
          }
  }
  assert.ok(refused > 1000, `${refused} refused`);
}

export const ERRORS = {
  "errors have code, errno, syscall and path": facts,
  "names of other objects, and names that are none": names,
  "rights that a handle was not opened with": rights,
  "handles after CloseHandle": closed,
  "every call with hostile arguments": arguments_,
};
