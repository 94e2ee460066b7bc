#include "pin.h"

#include <errno.h>

#include "../call.h"
#include "exports.h"
#include "failures.h"
#include "files.h"
#include "locks.h"
#include "mapping.h"

static void close_if_open(HANDLE *handle) {
  if (*handle != INVALID_HANDLE_VALUE) CloseHandle(*handle);
  *handle = INVALID_HANDLE_VALUE;
}

void drop_pin(struct mapping *mapping) {
  close_if_open(&mapping->pin);
  /* Second: who is told of it looks at the byte. */
  close_if_open(&mapping->presence);
}

/*
 * A file that goes with its process, since the system deletes it with its last handle: who watches the folder is told
 * (death.c). Its name says which region, which process, and which one of those.
 */
static HANDLE open_presence(const struct file *file) {
  static volatile LONG count;
  WCHAR name[128];
  WCHAR path[MAX_PATH_UNITS];
  WCHAR *end = write_text(write_id(write_text(name, PRESENCE_PREFIX), &file->region), L"-");
  end = write_text(write_number(end, GetCurrentProcessId()), L"-");
  write_number(end, (uint32_t)InterlockedIncrement(&count));
  if (!sibling_path(file->handle, name, path)) {
    SetLastError(ERROR_INVALID_NAME);
    return INVALID_HANDLE_VALUE;
  }
  const DWORD how = FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE;
  return CreateFileW(path, GENERIC_WRITE | DELETE, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, CREATE_ALWAYS, how, NULL);
}

int64_t pin_byte(struct call *call) {
  struct mapping *mapping = call_mapping(call, 0);
  struct file *file = call_file(call, 1);
  int64_t offset = call_integer(call, 2, "lockOffset", 0, MAX_SAFE_INTEGER);
  if (call->stopped) return 0;
  if (mapping->pin != INVALID_HANDLE_VALUE) return -EBUSY;
  HANDLE pin = reopen_handle(file->handle);
  if (pin == INVALID_HANDLE_VALUE) return last_failure();
  int failure = take_handle_byte(pin, offset);
  HANDLE presence = failure == 0 ? open_presence(file) : INVALID_HANDLE_VALUE;
  if (failure == 0 && presence == INVALID_HANDLE_VALUE) failure = last_failure();
  if (failure == 0 && mapping_is_lost(mapping)) failure = -EIO;
  if (failure != 0) {
    CloseHandle(pin);
    close_if_open(&presence);
    return failure;
  }
  mapping->pin = pin;
  mapping->presence = presence;
  mapping->pin_offset = offset;
  return 0;
}

int64_t unpin_byte(struct call *call) {
  struct mapping *mapping = call_mapping(call, 0);
  if (call->stopped) return 0;
  /* The armed word may be somebody else's as soon as the byte is free. */
  waiter_stop(mapping);
  drop_pin(mapping);
  return 0;
}
