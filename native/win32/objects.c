/* Handles of the system's objects. A function that makes or opens one answers its number, and EXISTED if it was there. */
#include "exports.h"

#include "environment.h"

/* Beyond every number of a handle. */
#define EXISTED (INT64_C(1) << 32)
#define LOWER_HALF UINT32_MAX

/* Takes over what a function has just answered. */
static int64_t adopt(struct call *call, HANDLE handle, DWORD error) {
  if (handle == NULL || handle == INVALID_HANDLE_VALUE) return -(int64_t)error;
  uint32_t id = table_add(&call->environment->handles, handle);
  if (id != 0) return id + (error == ERROR_ALREADY_EXISTS ? EXISTED : 0);
  CloseHandle(handle);
  return -ERROR_NOT_ENOUGH_MEMORY;
}

/* What a function that makes an object says of it. */
static int64_t adopt_made(struct call *call, HANDLE handle) {
  return adopt(call, handle, GetLastError());
}

/* Functions that only open leave the last error alone when they succeed. */
static int64_t adopt_opened(struct call *call, HANDLE handle) {
  return adopt(call, handle, handle == NULL ? GetLastError() : ERROR_SUCCESS);
}

static int64_t answer_of(BOOL succeeded) {
  return succeeded ? 0 : -(int64_t)GetLastError();
}

static DWORD call_dword(struct call *call, size_t index, const char *name) {
  return (DWORD)call_integer(call, index, name, 0, UINT32_MAX);
}

static LONG call_long(struct call *call, size_t index, const char *name) {
  return (LONG)call_integer(call, index, name, INT32_MIN, INT32_MAX);
}

int64_t create_file(struct call *call) {
  const WCHAR *name = call_name(call, 0);
  DWORD access = call_bits(call, 1, "dwDesiredAccess");
  DWORD share = call_bits(call, 2, "dwShareMode");
  DWORD disposition = call_dword(call, 3, "dwCreationDisposition");
  DWORD flags = call_bits(call, 4, "dwFlagsAndAttributes");
  if (call->stopped) return 0;
  SetLastError(ERROR_SUCCESS);
  HANDLE file = CreateFileW(name, access, share, NULL, disposition, flags, NULL);
  DWORD error = GetLastError();
  /* Pipes, consoles and devices are not to be mapped. */
  if (file != INVALID_HANDLE_VALUE && GetFileType(file) != FILE_TYPE_DISK) {
    CloseHandle(file);
    return -ERROR_NOT_SUPPORTED;
  }
  return adopt(call, file, error);
}

int64_t create_file_mapping(struct call *call) {
  /* Number 0 is the system's paging file. */
  bool has_file = call_integer(call, 0, "handle", 0, UINT32_MAX) != 0;
  HANDLE file = has_file ? call_handle(call, 0) : INVALID_HANDLE_VALUE;
  DWORD protection = call_bits(call, 1, "flProtect");
  uint64_t size = (uint64_t)call_integer(call, 2, "size", 0, MAX_SAFE_INTEGER);
  const WCHAR *name = call_name(call, 3);
  if (call->stopped) return 0;
  /* Images of programs and pages of other sizes have protections of their own. */
  if ((protection & ~(DWORD)(0xff | SEC_COMMIT | SEC_RESERVE)) != 0) return -ERROR_INVALID_PARAMETER;
  return adopt_made(call, CreateFileMappingW(file, NULL, protection, (DWORD)(size >> 32), (DWORD)(size & LOWER_HALF), name));
}

int64_t open_file_mapping(struct call *call) {
  DWORD access = call_bits(call, 0, "dwDesiredAccess");
  const WCHAR *name = call_name(call, 1);
  return call->stopped ? 0 : adopt_opened(call, OpenFileMappingW(access, FALSE, name));
}

int64_t create_mutex(struct call *call) {
  bool is_owned = call_boolean(call, 0, "bInitialOwner");
  const WCHAR *name = call_name(call, 1);
  return call->stopped ? 0 : adopt_made(call, CreateMutexW(NULL, is_owned, name));
}

int64_t open_mutex(struct call *call) {
  DWORD access = call_bits(call, 0, "dwDesiredAccess");
  const WCHAR *name = call_name(call, 1);
  return call->stopped ? 0 : adopt_opened(call, OpenMutexW(access, FALSE, name));
}

int64_t release_mutex(struct call *call) {
  HANDLE mutex = call_handle(call, 0);
  return call->stopped ? 0 : answer_of(ReleaseMutex(mutex));
}

int64_t create_event(struct call *call) {
  bool is_manual = call_boolean(call, 0, "bManualReset");
  bool is_set = call_boolean(call, 1, "bInitialState");
  const WCHAR *name = call_name(call, 2);
  return call->stopped ? 0 : adopt_made(call, CreateEventW(NULL, is_manual, is_set, name));
}

int64_t open_event(struct call *call) {
  DWORD access = call_bits(call, 0, "dwDesiredAccess");
  const WCHAR *name = call_name(call, 1);
  return call->stopped ? 0 : adopt_opened(call, OpenEventW(access, FALSE, name));
}

int64_t set_event(struct call *call) {
  HANDLE event = call_handle(call, 0);
  return call->stopped ? 0 : answer_of(SetEvent(event));
}

int64_t reset_event(struct call *call) {
  HANDLE event = call_handle(call, 0);
  return call->stopped ? 0 : answer_of(ResetEvent(event));
}

int64_t create_semaphore(struct call *call) {
  LONG initial = call_long(call, 0, "lInitialCount");
  LONG most = call_long(call, 1, "lMaximumCount");
  const WCHAR *name = call_name(call, 2);
  return call->stopped ? 0 : adopt_made(call, CreateSemaphoreW(NULL, initial, most, name));
}

int64_t open_semaphore(struct call *call) {
  DWORD access = call_bits(call, 0, "dwDesiredAccess");
  const WCHAR *name = call_name(call, 1);
  return call->stopped ? 0 : adopt_opened(call, OpenSemaphoreW(access, FALSE, name));
}

int64_t release_semaphore(struct call *call) {
  HANDLE semaphore = call_handle(call, 0);
  LONG count = call_long(call, 1, "lReleaseCount");
  LONG previous = 0;
  if (call->stopped) return 0;
  /* As Windows has it; Wine does not. */
  if (count <= 0) return -ERROR_INVALID_PARAMETER;
  return ReleaseSemaphore(semaphore, count, &previous) ? previous : -(int64_t)GetLastError();
}

int64_t close_handle(struct call *call) {
  HANDLE handle = call_handle(call, 0);
  uint32_t id = (uint32_t)call_integer(call, 0, "handle", 1, UINT32_MAX);
  if (call->stopped) return 0;
  table_remove(&call->environment->handles, id);
  return answer_of(CloseHandle(handle));
}

int64_t error_text(struct call *call) {
  DWORD error = call_dword(call, 0, "error");
  WCHAR text[512];
  if (call->stopped) return 0;
  const DWORD how = FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS | FORMAT_MESSAGE_MAX_WIDTH_MASK;
  DWORD length = FormatMessageW(how, NULL, error, 0, text, COUNT_OF(text), NULL);
  napi_create_string_utf16(call->env, (const char16_t *)text, length, &call->result);
  return 0;
}
