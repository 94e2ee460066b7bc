#include "locks.h"

#include <fcntl.h>
#include <unistd.h>

#include "exports.h"

static int set_lock(int descriptor, short type, int64_t offset) {
  struct flock range = {.l_type = type, .l_whence = SEEK_SET, .l_start = offset, .l_len = 1};
  if (fcntl(descriptor, F_OFD_SETLK, &range) == 0) return 0;
  return errno == EACCES ? -EAGAIN : -errno;
}

int take_byte(int descriptor, int64_t offset) {
  return set_lock(descriptor, F_WRLCK, offset);
}

int release_byte(int descriptor, int64_t offset) {
  return set_lock(descriptor, F_UNLCK, offset);
}

int range_is_held(int descriptor, int64_t offset, int64_t length) {
  struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = offset, .l_len = length};
  if (fcntl(descriptor, F_OFD_GETLK, &range) != 0) return -errno;
  return range.l_type == F_UNLCK ? 0 : 1;
}

int64_t lock_byte(struct call *call) {
  int descriptor = call_descriptor(call, 0, "fd");
  int64_t offset = call_integer(call, 1, "offset", 0, MAX_SAFE_INTEGER);
  return call->stopped ? 0 : take_byte(descriptor, offset);
}

int64_t unlock_byte(struct call *call) {
  int descriptor = call_descriptor(call, 0, "fd");
  int64_t offset = call_integer(call, 1, "offset", 0, MAX_SAFE_INTEGER);
  return call->stopped ? 0 : release_byte(descriptor, offset);
}

int64_t probe_bytes(struct call *call) {
  int descriptor = call_descriptor(call, 0, "fd");
  int64_t offset = call_integer(call, 1, "offset", 0, MAX_SAFE_INTEGER);
  /* A length of 0 would mean "to the end of the file, however long it gets". */
  int64_t length = call_integer(call, 2, "lengthBytes", 1, MAX_SAFE_INTEGER);
  return call->stopped ? 0 : range_is_held(descriptor, offset, length);
}
