import { knownOptions, wholeNumber } from "../../base/arguments.js";
import { deadlineOf, signalOf, type SignalOption, type WaitOptions } from "../../base/deadline.js";
import { win32 } from "../../native/win32-addon.js";
import { callsOf, type BlockingCall } from "../calls.js";
import { INFINITE, WAIT_TIMEOUT, type WAIT_ABANDONED, type WAIT_OBJECT_0 } from "./constants.js";
import { idOf, type Handle } from "./handles.js";
import { ERROR_INVALID_HANDLE, Win32Error } from "./win32-error.js";

/** What can be waited for. */
export type Waitable = Handle<"mutex"> | Handle<"event"> | Handle<"semaphore">;

/** WAIT_OBJECT_0: it has happened, and is taken. WAIT_ABANDONED: the same, of a mutex whose owner ended. WAIT_TIMEOUT: it has not. */
export type WaitResult = typeof WAIT_OBJECT_0 | typeof WAIT_ABANDONED | typeof WAIT_TIMEOUT;

const SYSCALL = "WaitForSingleObject";
const ERROR_OPERATION_ABORTED = 995;

const { callAsync, callSync, poll } = callsOf({
  mustWait: -WAIT_TIMEOUT,
  interrupted: -WAIT_TIMEOUT,
  canceled: -ERROR_OPERATION_ABORTED,
  gone: -ERROR_INVALID_HANDLE,
  interrupt: (id) => void win32().cancel(id),
  errorOf: (result, syscall, path) => new Win32Error(-result, syscall, path),
});

function waitOptions(dwMilliseconds: number, options: SignalOption | undefined): WaitOptions {
  const { signal } = knownOptions(options, ["signal"], SYSCALL);
  const timeoutMs = wholeNumber(dwMilliseconds, "dwMilliseconds", 0, INFINITE);
  return { ...(timeoutMs !== INFINITE && { timeoutMs }), ...(signal && { signal }) };
}

function waitingFor(handle: Waitable): BlockingCall {
  const addon = win32();
  const id = idOf(handle, SYSCALL, "mutex", "event", "semaphore");
  return {
    syscall: SYSCALL,
    path: handle.name,
    attempt: () => addon.WaitForSingleObject(id, 0),
    park: (timeoutMs) => addon.WaitForSingleObject(id, timeoutMs),
    start: () => addon.WaitForSingleObject_async(id),
  };
}

/** Only this thread can become the owner for itself, and nothing tells it when it could without taking the mutex away. */
function waitForMutex({ attempt, syscall }: BlockingCall, handle: Waitable, options: WaitOptions): Promise<number> {
  const signal = signalOf(options.signal);
  return poll(attempt, { syscall, deadline: deadlineOf(options.timeoutMs), signal, pending: handle.pending });
}

/** As in C, where it is no error that the time is over. */
function asInC(error: unknown): typeof WAIT_TIMEOUT {
  if (error instanceof Win32Error && error.errno === WAIT_TIMEOUT) return WAIT_TIMEOUT;
  throw error;
}

/**
 * Waits until an event is set, a semaphore above 0, or a mutex free, and takes it: resets the event unless it is one with manual
 * reset, takes 1 of the semaphore, makes this thread the owner of the mutex.
 *
 * For events and semaphores a thread of its own waits. No other thread can become the owner of a mutex for this one, so for that it
 * tries again and again: in the next three turns of the event loop, then after 1 to 8 ms. Others that block may be faster each time,
 * without an end. Whatever ends a wait, nothing is lost: it has happened, or it has not.
 * @param dwMilliseconds the longest wait, 0 for none. Default: INFINITE
 * @throws Win32Error ERROR_INVALID_HANDLE when it is closed, also meanwhile; ERROR_ACCESS_DENIED when it was opened without SYNCHRONIZE; the reason of the signal
 */
export async function WaitForSingleObject(
  hHandle: Waitable,
  dwMilliseconds: number = INFINITE,
  options?: SignalOption,
): Promise<WaitResult> {
  const call = waitingFor(hHandle);
  const wait = waitOptions(dwMilliseconds, options);
  const waiting = hHandle.kind === "mutex" ? waitForMutex(call, hHandle, wait) : callAsync(call, wait, hHandle.pending);
  return (await waiting.catch(asInC)) as WaitResult;
}

/** The same, blocking the calling thread; the system wakes it for a mutex as well. */
export function WaitForSingleObjectSync(hHandle: Waitable, dwMilliseconds: number = INFINITE): WaitResult {
  const call = waitingFor(hHandle);
  try {
    return callSync(call, waitOptions(dwMilliseconds, undefined)) as WaitResult;
  } catch (error) {
    return asInC(error);
  }
}
