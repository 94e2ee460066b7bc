/** Constants of Windows under their own names; see Microsoft's page on the call that takes them. */

/** For {@link CreateFileMapping}: memory that the paging file backs. */
export const INVALID_HANDLE_VALUE = -1;

export const GENERIC_READ = 0x80000000;
export const GENERIC_WRITE = 0x40000000;
export const FILE_SHARE_READ = 1;
export const FILE_SHARE_WRITE = 2;
export const FILE_SHARE_DELETE = 4;
export const CREATE_NEW = 1;
export const CREATE_ALWAYS = 2;
export const OPEN_EXISTING = 3;
export const OPEN_ALWAYS = 4;
export const TRUNCATE_EXISTING = 5;
export const FILE_ATTRIBUTE_NORMAL = 0x80;
export const FILE_ATTRIBUTE_TEMPORARY = 0x100;
export const FILE_FLAG_DELETE_ON_CLOSE = 0x04000000;
export const FILE_FLAG_SEQUENTIAL_SCAN = 0x08000000;
export const FILE_FLAG_RANDOM_ACCESS = 0x10000000;
export const FILE_FLAG_WRITE_THROUGH = 0x80000000;

export const PAGE_READONLY = 2;
export const PAGE_READWRITE = 4;
export const PAGE_WRITECOPY = 8;
export const SEC_COMMIT = 0x08000000;
export const SEC_RESERVE = 0x04000000;
export const FILE_MAP_COPY = 1;
export const FILE_MAP_WRITE = 2;
export const FILE_MAP_READ = 4;
export const FILE_MAP_ALL_ACCESS = 0xf001f;

export const SYNCHRONIZE = 0x100000;
export const MUTEX_MODIFY_STATE = 1;
export const MUTEX_ALL_ACCESS = 0x1f0001;
export const EVENT_MODIFY_STATE = 2;
export const EVENT_ALL_ACCESS = 0x1f0003;
export const SEMAPHORE_MODIFY_STATE = 2;
export const SEMAPHORE_ALL_ACCESS = 0x1f0003;

export const WAIT_OBJECT_0 = 0;
export const WAIT_ABANDONED = 0x80;
export const WAIT_TIMEOUT = 258;
export const INFINITE = 0xffffffff;
