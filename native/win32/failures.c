#include "failures.h"

#include <errno.h>

int failure_of(DWORD error) {
  switch (error) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
      return -ENOENT;
    case ERROR_ACCESS_DENIED:
    case ERROR_SHARING_VIOLATION:
      return -EACCES;
    case ERROR_ALREADY_EXISTS:
    case ERROR_FILE_EXISTS:
      return -EEXIST;
    case ERROR_DISK_FULL:
    case ERROR_HANDLE_DISK_FULL:
    case ERROR_COMMITMENT_LIMIT:
      return -ENOSPC;
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_OUTOFMEMORY:
      return -ENOMEM;
    case ERROR_TOO_MANY_OPEN_FILES:
    case ERROR_NO_SYSTEM_RESOURCES:
      return -EMFILE;
    case ERROR_LOCK_VIOLATION:
    case ERROR_IO_PENDING:
      return -EAGAIN;
    case ERROR_INVALID_HANDLE:
      return -EBADF;
    case ERROR_INVALID_PARAMETER:
    case ERROR_INVALID_NAME:
      return -EINVAL;
    case ERROR_NOT_SUPPORTED:
    case ERROR_CALL_NOT_IMPLEMENTED:
      return -EOPNOTSUPP;
    default:
      return -EIO;
  }
}

int last_failure(void) {
  return failure_of(GetLastError());
}
