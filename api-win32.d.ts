// The public interface, without comments. Generated: npm run check -- api-report --fix

export const CREATE_ALWAYS = 2;

export const CREATE_NEW = 1;

export function CloseHandle(handle: Handle): void;

export function CreateEvent(bManualReset: boolean, bInitialState?: boolean, lpName?: string): Handle<"event">;

export function CreateFile(lpFileName: string, dwDesiredAccess: number, dwShareMode: number, dwCreationDisposition: number, dwFlagsAndAttributes?: number): Handle<"file">;

export function CreateFileMapping(hFile: Handle<"file"> | typeof INVALID_HANDLE_VALUE, flProtect: number, dwMaximumSize: number, lpName?: string): Handle<"file mapping">;

export function CreateMutex(bInitialOwner?: boolean, lpName?: string): Handle<"mutex">;

export function CreateSemaphore(lInitialCount: number, lMaximumCount: number, lpName?: string): Handle<"semaphore">;

export const EVENT_ALL_ACCESS = 2031619;

export const EVENT_MODIFY_STATE = 2;

export const FILE_ATTRIBUTE_NORMAL = 128;

export const FILE_ATTRIBUTE_TEMPORARY = 256;

export const FILE_FLAG_DELETE_ON_CLOSE = 67108864;

export const FILE_FLAG_RANDOM_ACCESS = 268435456;

export const FILE_FLAG_SEQUENTIAL_SCAN = 134217728;

export const FILE_FLAG_WRITE_THROUGH = 2147483648;

export const FILE_MAP_ALL_ACCESS = 983071;

export const FILE_MAP_COPY = 1;

export const FILE_MAP_READ = 4;

export const FILE_MAP_WRITE = 2;

export const FILE_SHARE_DELETE = 4;

export const FILE_SHARE_READ = 1;

export const FILE_SHARE_WRITE = 2;

export function FlushViewOfFile(lpBaseAddress: Mapped): Promise<void>;

export function FlushViewOfFileSync(lpBaseAddress: Mapped): void;

export const GENERIC_READ = 2147483648;

export const GENERIC_WRITE = 1073741824;

export class Handle<Kind extends HandleKind = HandleKind> {
    readonly kind: Kind;
    readonly name: string | undefined;
    readonly alreadyExists: boolean;
}

export type HandleKind = "file" | "file mapping" | "mutex" | "event" | "semaphore";

export const INFINITE = 4294967295;

export const INVALID_HANDLE_VALUE = -1;

export const MUTEX_ALL_ACCESS = 2031617;

export const MUTEX_MODIFY_STATE = 1;

export function MapViewOfFile(hFileMappingObject: Handle<"file mapping">, dwDesiredAccess: number, dwFileOffset?: number, dwNumberOfBytesToMap?: number): ArrayBuffer;

export type Mapped = ArrayBufferLike | ArrayBufferView;

export const OPEN_ALWAYS = 4;

export const OPEN_EXISTING = 3;

export function OpenEvent(dwDesiredAccess: number, lpName: string): Handle<"event">;

export function OpenFileMapping(dwDesiredAccess: number, lpName: string): Handle<"file mapping">;

export function OpenMutex(dwDesiredAccess: number, lpName: string): Handle<"mutex">;

export function OpenSemaphore(dwDesiredAccess: number, lpName: string): Handle<"semaphore">;

export const PAGE_READONLY = 2;

export const PAGE_READWRITE = 4;

export const PAGE_WRITECOPY = 8;

export function ReleaseMutex(hMutex: Handle<"mutex">): void;

export function ReleaseSemaphore(hSemaphore: Handle<"semaphore">, lReleaseCount?: number): number;

export function ResetEvent(hEvent: Handle<"event">): void;

export const SEC_COMMIT = 134217728;

export const SEC_RESERVE = 67108864;

export const SEMAPHORE_ALL_ACCESS = 2031619;

export const SEMAPHORE_MODIFY_STATE = 2;

export const SYNCHRONIZE = 1048576;

export function SetEvent(hEvent: Handle<"event">): void;

export type SignalOption = Pick<WaitOptions, "signal">;

export const TRUNCATE_EXISTING = 5;

export function UnmapViewOfFile(lpBaseAddress: Mapped): void;

export const WAIT_ABANDONED = 128;

export const WAIT_OBJECT_0 = 0;

export const WAIT_TIMEOUT = 258;

export function WaitForSingleObject(hHandle: Waitable, dwMilliseconds?: number, options?: SignalOption): Promise<WaitResult>;

export function WaitForSingleObjectSync(hHandle: Waitable, dwMilliseconds?: number): WaitResult;

export type WaitResult = 0 | 128 | 258;

export type Waitable = Handle<"mutex"> | Handle<"event"> | Handle<"semaphore">;

export class Win32Error extends Error {
    readonly code: string;
    readonly errno: number;
    readonly syscall: string;
    readonly path?: string;
    constructor(errno: number, syscall: string, path?: string);
}

export function view_is_lost(memory: Mapped): boolean;

// Not exported, but named by what is.

interface WaitOptions {
    timeoutMs?: number;
    signal?: AbortSignal;
}
