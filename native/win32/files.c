/* Names and files of regions. */
#include "files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "../call.h"
#include "environment.h"
#include "exports.h"
#include "failures.h"
#include "locks.h"
#include "mapping.h"

#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
/* A link is opened itself, and a folder can be; both are refused then. */
#define NOT_FOLLOWED (FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS)

/* All that the file of a region says. docs/layout.md, "On Windows". */
struct record {
  uint32_t magic[2];
  struct region_id region;
  uint64_t length;
  /* The session in which names beginning with Local\ lead to it. */
  uint32_t session;
  uint32_t reserved;
};

_Static_assert(sizeof(struct record) == 40, "as documented");

static const uint32_t MAGIC[2] = {0x4b4d4853, 0x0a0d5449};

struct file *call_file(struct call *call, size_t index) {
  uint32_t id = (uint32_t)call_descriptor(call, index, "descriptor");
  if (call->stopped) return NULL;
  struct file *file = table_find(&call->environment->files, id);
  if (file == NULL) call_refuse(call, -EBADF);
  return file;
}

/* Takes over the handle; the file has its number then. NULL when out of memory. */
static struct file *adopt(struct environment *environment, HANDLE handle) {
  struct file *file = calloc(1, sizeof *file);
  if (file != NULL) {
    file->handle = handle;
    file->id = table_add(&environment->files, file);
    if (file->id != 0 && file->id <= INT32_MAX) return file;
    table_remove(&environment->files, file->id);
    free(file);
  }
  CloseHandle(handle);
  return NULL;
}

/* Whether it is a plain file: 0 or -errno. */
static int check_kind(HANDLE handle) {
  BY_HANDLE_FILE_INFORMATION facts;
  if (!GetFileInformationByHandle(handle, &facts)) return last_failure();
  if ((facts.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0) return -ELOOP;
  return (facts.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0 ? -ENXIO : 0;
}

/* Reads what it says; a file that says something else has no section. */
static bool read_record(HANDLE handle, struct record *record) {
  DWORD length = 0;
  OVERLAPPED beginning = {0};
  return ReadFile(handle, record, sizeof *record, &length, &beginning) && length == sizeof *record &&
         record->magic[0] == MAGIC[0] && record->magic[1] == MAGIC[1];
}

static DWORD own_session(void) {
  DWORD session = 0;
  return ProcessIdToSessionId(GetCurrentProcessId(), &session) ? session : UINT32_MAX;
}

HANDLE reopen_handle(HANDLE handle) {
  return ReOpenFile(handle, GENERIC_READ | GENERIC_WRITE, SHARE_ALL, 0);
}

bool sibling_path(HANDLE handle, const WCHAR *name, WCHAR path[MAX_PATH_UNITS]) {
  DWORD length = GetFinalPathNameByHandleW(handle, path, MAX_PATH_UNITS, VOLUME_NAME_DOS);
  if (length == 0 || length >= MAX_PATH_UNITS) return false;
  while (length > 0 && path[length - 1] != L'\\') length--;
  if (length + wcslen(name) + 1 > MAX_PATH_UNITS) return false;
  write_text(path + length, name);
  return true;
}

/* In mingw's headers only for a later Windows than the oldest that Node runs on. */
#define DISPOSITION_EX ((FILE_INFO_BY_HANDLE_CLASS)21)
struct disposition_ex {
  DWORD flags;
};
#define DISPOSITION_DELETE 1
#define DISPOSITION_POSIX 2

/* ".shmkit-gone-", a process, "-", a number, and the end. */
#define OWN_NAME_UNITS (13 + 8 + 1 + ID_DIGITS + 1)

/* Gives an open file another name, which must be free. By a path, Wine would not tell the handle. */
static bool rename_handle(HANDLE handle, const WCHAR *path) {
  union {
    FILE_RENAME_INFO info;
    uint8_t bytes[sizeof(FILE_RENAME_INFO) + MAX_PATH_UNITS * sizeof(WCHAR)];
  } rename;
  const size_t units = wcslen(path);
  if (units >= MAX_PATH_UNITS) {
    SetLastError(ERROR_INVALID_NAME);
    return false;
  }
  memset(&rename, 0, sizeof rename);
  write_text(rename.info.FileName, path);
  rename.info.FileNameLength = (DWORD)(units * sizeof(WCHAR));
  return SetFileInformationByHandle(handle, FileRenameInfo, &rename, sizeof rename);
}

/* A name that nobody asks for; it says whose it is, so that what the dead leave can be found. */
static bool write_own_name(const WCHAR *prefix, WCHAR name[OWN_NAME_UNITS]) {
  struct region_id number;
  if (!region_id_draw(&number)) return false;
  WCHAR *end = write_number(write_text(name, prefix), GetCurrentProcessId());
  write_id(write_text(end, L"-"), &number);
  return true;
}

/* Without it, a file that somebody has open would keep its name. */
static bool rename_away(HANDLE handle) {
  WCHAR name[OWN_NAME_UNITS];
  WCHAR path[MAX_PATH_UNITS];
  return write_own_name(L".shmkit-gone-", name) && sibling_path(handle, name, path) && rename_handle(handle, path);
}

/* Of a handle that may delete. */
static int remove_handle(HANDLE handle) {
  struct disposition_ex at_once = {.flags = DISPOSITION_DELETE | DISPOSITION_POSIX};
  if (SetFileInformationByHandle(handle, DISPOSITION_EX, &at_once, sizeof at_once)) return 0;
  bool has_gone = rename_away(handle);
  FILE_DISPOSITION_INFO in_the_end = {.DeleteFile = TRUE};
  if (SetFileInformationByHandle(handle, FileDispositionInfo, &in_the_end, sizeof in_the_end) || has_gone) return 0;
  return last_failure();
}

void file_close(struct environment *environment, struct file *file) {
  table_remove(&environment->files, file->id);
  if (file->mapping != NULL) file->mapping->file = NULL;
  if (file->section != NULL) CloseHandle(file->section);
  if (file->is_new) remove_handle(file->handle);
  CloseHandle(file->handle);
  free(file->held);
  free(file);
}

int remove_path(const WCHAR *path) {
  HANDLE handle = CreateFileW(path, DELETE | FILE_READ_ATTRIBUTES, SHARE_ALL, NULL, OPEN_EXISTING, NOT_FOLLOWED, NULL);
  if (handle == INVALID_HANDLE_VALUE) return last_failure();
  int answer = remove_handle(handle);
  CloseHandle(handle);
  return answer;
}

int path_is_handle(const WCHAR *path, HANDLE handle) {
  BY_HANDLE_FILE_INFORMATION named;
  BY_HANDLE_FILE_INFORMATION opened;
  if (!GetFileInformationByHandle(handle, &opened)) return last_failure();
  HANDLE other = CreateFileW(path, FILE_READ_ATTRIBUTES, SHARE_ALL, NULL, OPEN_EXISTING, NOT_FOLLOWED, NULL);
  if (other == INVALID_HANDLE_VALUE) {
    int failure = last_failure();
    return failure == -ENOENT ? 0 : failure;
  }
  bool known = GetFileInformationByHandle(other, &named);
  int failure = known ? 0 : last_failure();
  CloseHandle(other);
  if (!known) return failure;
  return named.dwVolumeSerialNumber == opened.dwVolumeSerialNumber && named.nFileIndexHigh == opened.nFileIndexHigh &&
         named.nFileIndexLow == opened.nFileIndexLow;
}

/* Every file here has a name; this one has none that anybody looks for. */
int64_t open_temporary(struct call *call) {
  WCHAR path[MAX_PATH_UNITS];
  WCHAR name[OWN_NAME_UNITS];
  const WCHAR *directory = call_name(call, 0);
  if (call->stopped) return 0;
  if (directory == NULL || wcslen(directory) + OWN_NAME_UNITS + 1 > MAX_PATH_UNITS) return -EINVAL;
  if (!write_own_name(L".shmkit-new-", name)) return -EIO;
  write_text(write_text(write_text(path, directory), L"\\"), name);
  const DWORD access = GENERIC_READ | GENERIC_WRITE | DELETE;
  HANDLE handle = CreateFileW(path, access, SHARE_ALL, NULL, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, NULL);
  if (handle == INVALID_HANDLE_VALUE) return last_failure();
  struct file *file = adopt(call->environment, handle);
  if (file == NULL) return -ENOMEM;
  file->is_new = true;
  return file->id;
}

int64_t link_descriptor(struct call *call) {
  struct file *file = call_file(call, 0);
  const WCHAR *path = call_name(call, 1);
  if (call->stopped) return 0;
  if (path == NULL || !file->is_new) return -EINVAL;
  if (!rename_handle(file->handle, path)) return last_failure();
  file->is_new = false;
  return 0;
}

int file_make_section(struct file *file, uint64_t length) {
  WCHAR name[OBJECT_NAME_UNITS];
  struct record record = {.magic = {MAGIC[0], MAGIC[1]}, .length = length, .session = own_session()};
  DWORD written = 0;
  OVERLAPPED beginning = {0};
  if (!file->is_new || file->section != NULL) return -EINVAL;
  if (!region_id_draw(&record.region)) return -EIO;
  section_name(name, &record.region);
  const DWORD high = (DWORD)(length >> 32);
  HANDLE section = CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE | SEC_RESERVE, high, (DWORD)length, name);
  if (section == NULL) return last_failure();
  bool is_own = GetLastError() != ERROR_ALREADY_EXISTS;
  if (!is_own || !WriteFile(file->handle, &record, sizeof record, &written, &beginning) || written != sizeof record) {
    int failure = is_own ? last_failure() : -EEXIST;
    CloseHandle(section);
    return failure;
  }
  file->section = section;
  file->region = record.region;
  file->length = length;
  return 0;
}

/*
 * Finds the memory of an opened file. Its maker had the section before anybody could find the file, so that one without it is
 * a name that the dead left, for ever: it goes, and is missing. Unless it is of another session, where names lead elsewhere.
 */
static int find_section(struct file *file) {
  WCHAR name[OBJECT_NAME_UNITS];
  struct record record;
  if (!read_record(file->handle, &record)) return 0;
  section_name(name, &record.region);
  file->section = OpenFileMappingW(FILE_MAP_WRITE | FILE_MAP_READ, FALSE, name);
  if (file->section == NULL) {
    if (GetLastError() != ERROR_FILE_NOT_FOUND) return last_failure();
    if (record.session != own_session() && range_is_held(file, 0, INT64_MAX) != 0) return -EBUSY;
    int removed = remove_handle(file->handle);
    return removed == 0 ? -ENOENT : removed;
  }
  file->region = record.region;
  file->length = record.length;
  return 0;
}

int64_t open_existing(struct call *call) {
  const WCHAR *path = call_name(call, 0);
  bool writable = call_boolean(call, 1, "writable");
  if (call->stopped) return 0;
  DWORD access = GENERIC_READ | DELETE | (writable ? GENERIC_WRITE : 0);
  HANDLE handle = CreateFileW(path, access, SHARE_ALL, NULL, OPEN_EXISTING, NOT_FOLLOWED, NULL);
  if (handle == INVALID_HANDLE_VALUE) return last_failure();
  int failure = check_kind(handle);
  if (failure != 0) {
    CloseHandle(handle);
    return failure;
  }
  struct file *file = adopt(call->environment, handle);
  if (file == NULL) return -ENOMEM;
  failure = find_section(file);
  if (failure == 0) return file->id;
  file_close(call->environment, file);
  return failure;
}

int64_t unlink_path(struct call *call) {
  const WCHAR *path = call_name(call, 0);
  return call->stopped ? 0 : remove_path(path);
}

int64_t same_file(struct call *call) {
  const WCHAR *path = call_name(call, 0);
  struct file *file = call_file(call, 1);
  return call->stopped ? 0 : path_is_handle(path, file->handle);
}

/* In the order of StatField in src/native/contract.ts. Users and permissions are as Node says of every file. */
int64_t stat_descriptor(struct call *call) {
  BY_HANDLE_FILE_INFORMATION facts;
  struct file *file = call_file(call, 0);
  double *target = call_doubles(call, 1, "target", 8);
  if (call->stopped) return 0;
  if (!GetFileInformationByHandle(file->handle, &facts)) return last_failure();
  const uint64_t index = (uint64_t)facts.nFileIndexHigh << 32 | facts.nFileIndexLow;
  const double fields[8] = {
      (double)file->length, 0, 0, 0600, (double)index, facts.dwVolumeSerialNumber, facts.nNumberOfLinks, 0,
  };
  for (size_t i = 0; i < COUNT_OF(fields); i++) target[i] = fields[i];
  return 0;
}

int64_t close_descriptor(struct call *call) {
  struct file *file = call_file(call, 0);
  if (call->stopped) return 0;
  file_close(call->environment, file);
  return 0;
}
