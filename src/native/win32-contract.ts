/**
 * The whole contract between TypeScript and the addon for Windows (`native/win32/*.c`), which makes system calls and nothing
 * else. Unless stated otherwise a function answers a number that is not negative, or the error of the call (GetLastError) as a
 * negative one; a wrong argument throws a `TypeError` or `RangeError`. Handles and views are small numbers, looked up in tables
 * of the calling environment: -6 (ERROR_INVALID_HANDLE) for any other. Names are `undefined` for none.
 */
import type { Mapping, MappingId, PendingCall } from "./contract.js";

/** A handle of the calling environment: a small positive number, never used again while the environment lives. */
export type HandleId = number;

/** Of what a function makes or opens: its handle, plus {@link EXISTED} when it was there already. */
export type HandleAnswer = number;

/** Beyond every number of a handle. */
export const EXISTED = 2 ** 32;

export interface Win32Addon {
  /** Version of this contract; the loader refuses another one. */
  readonly abi: number;
  /** What the system says of an error, in its own language. */
  errorText(error: number): string;
  /** Ends a {@link PendingCall}, which then resolves to -995 (ERROR_OPERATION_ABORTED) and has not happened, unless it is too late. */
  cancel(id: number): number;

  /** -50 (ERROR_NOT_SUPPORTED) for what is no file of a disk. */
  CreateFile(name: string, access: number, share: number, disposition: number, flags: number): HandleAnswer;
  /** Of the paging file when `file` is 0. */
  CreateFileMapping(file: HandleId, protection: number, size: number, name: string | undefined): HandleAnswer;
  OpenFileMapping(access: number, name: string): HandleAnswer;
  CreateMutex(isOwned: boolean, name: string | undefined): HandleAnswer;
  OpenMutex(access: number, name: string): HandleAnswer;
  ReleaseMutex(mutex: HandleId): number;
  CreateEvent(isManual: boolean, isSet: boolean, name: string | undefined): HandleAnswer;
  OpenEvent(access: number, name: string): HandleAnswer;
  SetEvent(event: HandleId): number;
  ResetEvent(event: HandleId): number;
  CreateSemaphore(initial: number, most: number, name: string | undefined): HandleAnswer;
  OpenSemaphore(access: number, name: string): HandleAnswer;
  /** The count before. */
  ReleaseSemaphore(semaphore: HandleId, count: number): number;
  CloseHandle(handle: HandleId): number;

  /** On this thread, for 50 ms at most: WAIT_OBJECT_0, WAIT_ABANDONED, or -WAIT_TIMEOUT. */
  WaitForSingleObject(handle: HandleId, timeoutMs: number): number;
  /** On a thread of its own, which a mutex would be owned by. */
  WaitForSingleObject_async(handle: HandleId): PendingCall | number;

  /** Without FILE_MAP_WRITE the pages are private copies from the first write on. Length 0: to the end. */
  MapViewOfFile(mapping: HandleId, access: number, offset: number, length: number): Mapping | number;
  /** Views of the buffer stay valid and read zeroes; if others were given its addresses meanwhile, the buffer is detached. Idempotent. */
  UnmapViewOfFile(view: MappingId, buffer?: object): number;
  FlushViewOfFile(view: MappingId, offset: number, length: number): number;
  FlushViewOfFile_async(view: MappingId, offset: number, length: number): PendingCall | number;
}

export const WIN32_ABI = 1;
