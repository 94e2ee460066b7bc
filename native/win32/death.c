#include "death.h"

#include <errno.h>

#include "../call.h"
#include "exports.h"
#include "failures.h"
#include "files.h"
#include "mapping.h"
#include "pin.h"

/*
 * One thread per process, which is never over, watches the folder of all regions. The thread holds `lock` while ringing, so
 * that a mapping cannot be given up under it.
 */
static SRWLOCK lock = SRWLOCK_INIT;
static bool is_watching;
static struct mapping *watched;

/* Where the folder cannot be watched any more, everybody looks as often as they would without. */
#define UNNOTICED_PAUSE_MS 50
#define STACK_BYTES (256 * 1024)

static const WCHAR PREFIX[] = PRESENCE_PREFIX;
#define PREFIX_UNITS (COUNT_OF(PREFIX) - 1)

/* Rings the members of a region, or everybody. */
static void notify(const WCHAR *digits) {
  AcquireSRWLockExclusive(&lock);
  for (struct mapping *mapping = watched; mapping != NULL; mapping = mapping->next_watched) {
    WCHAR own[ID_DIGITS + 1];
    size_t same = 0;
    write_id(own, &mapping->region);
    while (digits != NULL && same < ID_DIGITS && digits[same] == own[same]) same++;
    if (digits != NULL && same < ID_DIGITS) continue;
    InterlockedIncrement(&mapping->view->status[STATUS_DEATH_HINTS]);
    waiter_ring(mapping);
  }
  ReleaseSRWLockExclusive(&lock);
}

static void handle_change(const FILE_NOTIFY_INFORMATION *change) {
  const size_t units = change->FileNameLength / sizeof(WCHAR);
  if (change->Action != FILE_ACTION_REMOVED || units < PREFIX_UNITS + ID_DIGITS) return;
  for (size_t i = 0; i < PREFIX_UNITS; i++) {
    if (change->FileName[i] != PREFIX[i]) return;
  }
  notify(change->FileName + PREFIX_UNITS);
}

/* Length 0: there was too much to tell. */
static void handle_changes(const uint8_t *bytes, DWORD length) {
  if (length == 0) notify(NULL);
  for (DWORD at = 0; at < length;) {
    const FILE_NOTIFY_INFORMATION *change = (const FILE_NOTIFY_INFORMATION *)(const void *)(bytes + at);
    handle_change(change);
    if (change->NextEntryOffset == 0) return;
    at += change->NextEntryOffset;
  }
}

static DWORD WINAPI run(void *data) {
  static _Alignas(DWORD) uint8_t bytes[16384];
  const HANDLE folder = data;
  for (;;) {
    DWORD length = 0;
    if (ReadDirectoryChangesW(folder, bytes, sizeof bytes, FALSE, FILE_NOTIFY_CHANGE_FILE_NAME, &length, NULL, NULL)) {
      handle_changes(bytes, length);
    } else {
      Sleep(UNNOTICED_PAUSE_MS);
      notify(NULL);
    }
  }
}

/* Under the lock. 0 or -errno. */
static int start(const struct file *file) {
  WCHAR path[MAX_PATH_UNITS];
  const DWORD share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
  if (!sibling_path(file->handle, L"", path)) return -ENAMETOOLONG;
  HANDLE folder = CreateFileW(path, FILE_LIST_DIRECTORY, share, NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
  if (folder == INVALID_HANDLE_VALUE) return last_failure();
  HANDLE thread = CreateThread(NULL, STACK_BYTES, run, folder, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
  if (thread == NULL) {
    int failure = last_failure();
    CloseHandle(folder);
    return failure;
  }
  CloseHandle(thread);
  is_watching = true;
  return 0;
}

void unwatch_deaths(struct mapping *mapping) {
  AcquireSRWLockExclusive(&lock);
  struct mapping **link = &watched;
  while (*link != NULL && *link != mapping) link = &(*link)->next_watched;
  if (*link != NULL) *link = mapping->next_watched;
  ReleaseSRWLockExclusive(&lock);
}

int64_t watch_deaths(struct call *call) {
  struct mapping *mapping = call_mapping(call, 0);
  struct file *file = call_file(call, 1);
  if (call->stopped) return 0;
  if (!mapping->waiter.started) return -EINVAL;
  unwatch_deaths(mapping);
  AcquireSRWLockExclusive(&lock);
  int answer = is_watching ? 0 : start(file);
  if (answer == 0) {
    mapping->next_watched = watched;
    watched = mapping;
  }
  ReleaseSRWLockExclusive(&lock);
  return answer;
}
