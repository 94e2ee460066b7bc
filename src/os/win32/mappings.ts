import { win32 } from "../../native/win32-addon.js";
import { closeMapping, isLost, rangeOf, rememberMapping } from "../memory-ranges.js";
import { INVALID_HANDLE_VALUE } from "./constants.js";
import { handleOf, idOf, type Handle } from "./handles.js";
import { answerOf, nameIfAny, nameOf, Win32Error } from "./win32-error.js";

/** What {@link MapViewOfFile} answered, or a view of a part of it. */
export type Mapped = ArrayBufferLike | ArrayBufferView;

/**
 * Makes a file mapping, or opens the one of that name, whatever its size ({@link Handle.alreadyExists}).
 * @param hFile what {@link CreateFile} answered, or INVALID_HANDLE_VALUE for memory without a file
 * @param flProtect PAGE_READONLY, PAGE_READWRITE or PAGE_WRITECOPY, with SEC_COMMIT (default) or SEC_RESERVE: pages of that get their
 * memory when somebody touches them
 * @param dwMaximumSize bytes, the two halves of C in one; 0 for the size of the file
 * @param lpName `"Local\\NAME"` for this session, `"Global\\NAME"` for all of them (to make one takes a privilege); without another backslash
 * @throws Win32Error ERROR_INVALID_PARAMETER, ERROR_INVALID_HANDLE (also when the name is another object's), ERROR_ACCESS_DENIED,
 * ERROR_FILE_INVALID (an empty file), ERROR_DISK_FULL, ERROR_COMMITMENT_LIMIT, ERROR_PATH_NOT_FOUND
 * @example
 * ```ts no-run
 * import { CloseHandle, CreateFileMapping, FILE_MAP_WRITE, INVALID_HANDLE_VALUE } from "shmkit/win32";
 * import { MapViewOfFile, PAGE_READWRITE, UnmapViewOfFile } from "shmkit/win32";
 *
 * const mapping = CreateFileMapping(INVALID_HANDLE_VALUE, PAGE_READWRITE, 4096, "Local\\count");
 * const count = new Int32Array(MapViewOfFile(mapping, FILE_MAP_WRITE));
 * Atomics.add(count, 0, 1); // any process that maps the same name sees it
 * UnmapViewOfFile(count);
 * CloseHandle(mapping);
 * ```
 */
export function CreateFileMapping(
  hFile: Handle<"file"> | typeof INVALID_HANDLE_VALUE,
  flProtect: number,
  dwMaximumSize: number,
  lpName?: string,
): Handle<"file mapping"> {
  const addon = win32();
  const file = hFile === INVALID_HANDLE_VALUE ? 0 : idOf(hFile, "CreateFileMapping", "file");
  const name = nameIfAny(lpName, "CreateFileMapping");
  const answer = addon.CreateFileMapping(file, flProtect, dwMaximumSize, name);
  return handleOf(answer, "file mapping", "CreateFileMapping", name);
}

/**
 * Opens the file mapping of a name.
 * @param dwDesiredAccess FILE_MAP_READ, FILE_MAP_WRITE, FILE_MAP_COPY or FILE_MAP_ALL_ACCESS
 * @throws Win32Error ERROR_FILE_NOT_FOUND, ERROR_INVALID_HANDLE (another object's name), ERROR_ACCESS_DENIED
 */
export function OpenFileMapping(dwDesiredAccess: number, lpName: string): Handle<"file mapping"> {
  const addon = win32();
  const name = nameOf(lpName, "OpenFileMapping");
  return handleOf(addon.OpenFileMapping(dwDesiredAccess, name), "file mapping", "OpenFileMapping", name);
}

/**
 * Maps a part of a file mapping and answers it, at an address of the system's choice.
 *
 * Nothing that is done with the buffer can end the process: without FILE_MAP_WRITE the pages are copies of this process from the
 * moment it writes to them, and the writes reach nobody; if the disk fails under it, the view is lost and reads zeroes
 * ({@link view_is_lost}). What nobody refers to any more is unmapped.
 * @param dwDesiredAccess FILE_MAP_WRITE (or FILE_MAP_ALL_ACCESS), FILE_MAP_READ or FILE_MAP_COPY
 * @param dwFileOffset a multiple of 65536, the two halves of C in one. Default: 0
 * @param dwNumberOfBytesToMap Default: 0, to the end of the last page. Node 20 allows up to 4 GiB
 * @throws Win32Error ERROR_ACCESS_DENIED (also beyond its end), ERROR_MAPPED_ALIGNMENT, ERROR_INVALID_PARAMETER, ERROR_NOT_ENOUGH_MEMORY;
 * ERROR_NOT_SUPPORTED when the runtime allows no buffer of that length
 */
export function MapViewOfFile(
  hFileMappingObject: Handle<"file mapping">,
  dwDesiredAccess: number,
  dwFileOffset = 0,
  dwNumberOfBytesToMap = 0,
): ArrayBuffer {
  const addon = win32();
  const id = idOf(hFileMappingObject, "MapViewOfFile", "file mapping");
  const mapping = addon.MapViewOfFile(id, dwDesiredAccess, dwFileOffset, dwNumberOfBytesToMap);
  if (typeof mapping === "number") throw new Win32Error(-mapping, "MapViewOfFile", hFileMappingObject.name);
  return rememberMapping(mapping, (view) => void addon.UnmapViewOfFile(view));
}

/** Unmaps all of what {@link MapViewOfFile} answered. Views of the buffer stay valid and read zeroes; writing to them reaches nobody. */
export function UnmapViewOfFile(lpBaseAddress: Mapped): void {
  const addon = win32();
  const range = rangeOf(lpBaseAddress, "UnmapViewOfFile");
  const { id, pending } = range.memory;
  closeMapping(range, () => void addon.UnmapViewOfFile(id, pending.keeps));
}

/** Whether a view was lost, since its disk failed: it reads zeroes then. No call of C's. */
export function view_is_lost(memory: Mapped): boolean {
  win32();
  return isLost(rangeOf(memory, "view_is_lost"));
}

/**
 * Has the changed pages of a view written to the file, off the event loop. They are in the system's hands then; on the disk when
 * the file was opened with FILE_FLAG_WRITE_THROUGH, or later.
 * @throws Win32Error ERROR_LOCK_VIOLATION, ERROR_DISK_FULL and others of the disk
 */
export async function FlushViewOfFile(lpBaseAddress: Mapped): Promise<void> {
  const addon = win32();
  const { memory, offset, length } = rangeOf(lpBaseAddress, "FlushViewOfFile");
  const started = addon.FlushViewOfFile_async(memory.id, offset, length);
  answerOf(typeof started === "number" ? started : await started.promise, "FlushViewOfFile");
  // Unmapped meanwhile, it may not have been written back.
  rangeOf(lpBaseAddress, "FlushViewOfFile");
}

/** The same, on the calling thread. */
export function FlushViewOfFileSync(lpBaseAddress: Mapped): void {
  const addon = win32();
  const { memory, offset, length } = rangeOf(lpBaseAddress, "FlushViewOfFile");
  answerOf(addon.FlushViewOfFile(memory.id, offset, length), "FlushViewOfFile");
}
