#include "locks.h"

#include <errno.h>

#include "../call.h"
#include "../table.h"
#include "exports.h"
#include "failures.h"
#include "files.h"

static int change(HANDLE handle, DWORD how, int64_t offset, int64_t length) {
  OVERLAPPED at = {.Offset = (DWORD)offset, .OffsetHigh = (DWORD)(offset >> 32)};
  return LockFileEx(handle, how | LOCKFILE_FAIL_IMMEDIATELY, 0, (DWORD)length, (DWORD)(length >> 32), &at) ? 0 : last_failure();
}

static void release(HANDLE handle, int64_t offset, int64_t length) {
  OVERLAPPED at = {.Offset = (DWORD)offset, .OffsetHigh = (DWORD)(offset >> 32)};
  UnlockFileEx(handle, 0, (DWORD)length, (DWORD)(length >> 32), &at);
}

int take_handle_byte(HANDLE handle, int64_t offset) {
  return change(handle, LOCKFILE_EXCLUSIVE_LOCK, offset, 1);
}

void release_handle_byte(HANDLE handle, int64_t offset) {
  release(handle, offset, 1);
}

/*
 * The system tells nobody who has a lock, so a shared one is tried. Those who look do not meet each other; who takes a byte may
 * meet one who looks, and is told to try again.
 */
int handle_range_is_held(HANDLE handle, int64_t offset, int64_t length) {
  int answer = change(handle, 0, offset, length);
  if (answer == -EAGAIN) return 1;
  if (answer == 0) release(handle, offset, length);
  return answer;
}

static size_t index_of(const struct file *file, int64_t offset) {
  size_t index = 0;
  while (index < file->held_count && file->held[index] != offset) index++;
  return index;
}

int range_is_held(const struct file *file, int64_t offset, int64_t length) {
  const int64_t end = offset + length;
  for (int64_t from = offset; from < end;) {
    /* Up to the next byte of one's own. */
    int64_t to = end;
    for (size_t i = 0; i < file->held_count; i++) {
      if (file->held[i] >= from && file->held[i] < to) to = file->held[i];
    }
    int answer = to > from ? handle_range_is_held(file->handle, from, to - from) : 0;
    if (answer != 0) return answer;
    from = to + 1;
  }
  return 0;
}

int64_t lock_byte(struct call *call) {
  struct file *file = call_file(call, 0);
  int64_t offset = call_integer(call, 1, "offset", 0, MAX_SAFE_INTEGER);
  if (call->stopped) return 0;
  if (index_of(file, offset) < file->held_count) return 0;
  void *held = file->held;
  if (!reserve(&held, file->held_count, &file->held_capacity, sizeof *file->held)) return -ENOMEM;
  file->held = held;
  int answer = take_handle_byte(file->handle, offset);
  if (answer == 0) file->held[file->held_count++] = offset;
  return answer;
}

int64_t unlock_byte(struct call *call) {
  struct file *file = call_file(call, 0);
  int64_t offset = call_integer(call, 1, "offset", 0, MAX_SAFE_INTEGER);
  if (call->stopped) return 0;
  size_t index = index_of(file, offset);
  if (index == file->held_count) return 0;
  file->held[index] = file->held[--file->held_count];
  release_handle_byte(file->handle, offset);
  return 0;
}

int64_t probe_bytes(struct call *call) {
  struct file *file = call_file(call, 0);
  int64_t offset = call_integer(call, 1, "offset", 0, MAX_SAFE_INTEGER);
  int64_t length = call_integer(call, 2, "lengthBytes", 1, MAX_SAFE_INTEGER);
  return call->stopped ? 0 : range_is_held(file, offset, length);
}
