import { show } from "../../base/arguments.js";
import { ArgumentError } from "../../base/errors.js";
import { win32 } from "../../native/win32-addon.js";
import { EXISTED, type HandleAnswer, type HandleId } from "../../native/win32-contract.js";
import { PendingCalls } from "../calls.js";
import { answerOf, ERROR_INVALID_HANDLE, Win32Error } from "./win32-error.js";

/** What a handle leads to. */
export type HandleKind = "file" | "file mapping" | "mutex" | "event" | "semaphore";

/**
 * What {@link CreateFileMapping}, {@link CreateMutex} and the like answer; `HANDLE` in C. It belongs to the thread that called,
 * and is open until {@link CloseHandle}, or the end of the thread: garbage collection closes none.
 */
export class Handle<Kind extends HandleKind = HandleKind> {
  /** @internal */
  readonly pending = new PendingCalls();
  /** @internal */
  isOpen = true;

  /** @internal */
  constructor(
    /** @internal */
    readonly id: HandleId,
    /** What it leads to. */
    readonly kind: Kind,
    /** The name that the call was given, if any. */
    readonly name: string | undefined,
    /** Whether the call has opened what was there already: GetLastError is ERROR_ALREADY_EXISTS then. */
    readonly alreadyExists: boolean,
  ) {}
}

/** The handle that a call has answered. @throws Win32Error */
export function handleOf<Kind extends HandleKind>(
  answer: HandleAnswer,
  kind: Kind,
  syscall: string,
  name?: string,
): Handle<Kind> {
  const result = answerOf(answer, syscall, name);
  return new Handle(result % EXISTED, kind, name, result >= EXISTED);
}

const ARTICLES: Readonly<Record<HandleKind, string>> = {
  file: "a file",
  "file mapping": "a file mapping",
  mutex: "a mutex",
  event: "an event",
  semaphore: "a semaphore",
};

/** What the addon knows a handle by. @throws ERR_INVALID_ARGUMENT for another kind; Win32Error ERROR_INVALID_HANDLE when it is closed */
export function idOf(handle: Handle, syscall: string, ...kinds: readonly HandleKind[]): HandleId {
  if (!(handle instanceof Handle) || (kinds.length > 0 && !kinds.includes(handle.kind))) {
    const wanted = kinds.length === 0 ? "an object" : kinds.map((kind) => ARTICLES[kind]).join(", or ");
    const found = handle instanceof Handle ? `that of ${ARTICLES[handle.kind]}` : show(handle);
    throw new ArgumentError("ERR_INVALID_ARGUMENT", `${syscall} needs the handle of ${wanted}, not ${found}`);
  }
  if (!handle.isOpen) throw new Win32Error(ERROR_INVALID_HANDLE, syscall, handle.name);
  return handle.id;
}

/**
 * Ends the use of a handle. With the last one of all processes the name goes, and the object, unless views of a file mapping keep
 * it. Waits for it by this thread end with ERROR_INVALID_HANDLE. A mutex that this thread owns stays its own.
 * @throws Win32Error ERROR_INVALID_HANDLE when it is closed
 */
export function CloseHandle(handle: Handle): void {
  answerOf(win32().CloseHandle(idOf(handle, "CloseHandle")), "CloseHandle", handle.name);
  handle.isOpen = false;
  handle.pending.end();
}
