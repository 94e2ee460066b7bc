/* posix_fallocate, which may take long: on a file system without fallocate(2) the C library writes to every block. */
#include "exports.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "interruptible.h"

/* How much of that is done before the thread looks whether it is to end. */
#define PIECE_BYTES (INT64_C(16) << 20)

struct range {
  int descriptor;
  int64_t offset;
  int64_t length;
};

static struct range call_range(struct call *call) {
  struct range range = {.descriptor = call_descriptor(call, 0, "fd")};
  range.offset = call_integer_or(call, 1, "offset", 0, MAX_SAFE_INTEGER, EINVAL);
  range.length = call_integer_or(call, 2, "len", 0, MAX_SAFE_INTEGER, EINVAL);
  return range;
}

int64_t posix_fallocate_now(struct call *call) {
  struct range range = call_range(call);
  if (call->stopped) return 0;
  int failure;
  do failure = posix_fallocate(range.descriptor, range.offset, range.length);
  while (failure == EINTR);
  return -failure;
}

struct allocation {
  struct interruptible base;
  struct range range; /* what is left; its descriptor is one of its own */
  bool is_in_pieces;
};

/* One piece after the other, as far as -EINTR has it called again. */
static int64_t allocate(struct interruptible *wanted) {
  struct allocation *work = (struct allocation *)wanted;
  struct range *left = &work->range;
  if (!work->is_in_pieces) {
    /* In one piece where it can be: what is larger than the file system fails without filling it before. */
    if (fallocate(left->descriptor, 0, left->offset, left->length) == 0) return 0;
    if (errno != EOPNOTSUPP) return -errno;
    work->is_in_pieces = true;
  }
  int64_t piece = left->length < PIECE_BYTES ? left->length : PIECE_BYTES;
  int failure = posix_fallocate(left->descriptor, left->offset, piece);
  if (failure != 0) return -failure;
  left->offset += piece;
  left->length -= piece;
  return left->length > 0 ? -EINTR : 0;
}

static void dispose(struct interruptible *wanted) {
  close(((struct allocation *)wanted)->range.descriptor);
  free(wanted);
}

int64_t posix_fallocate_async(struct call *call) {
  struct range range = call_range(call);
  if (call->stopped) return 0;
  struct allocation *work = calloc(1, sizeof *work);
  if (work == NULL) return -ENOMEM;
  work->range = range;
  work->range.descriptor = fcntl(range.descriptor, F_DUPFD_CLOEXEC, 0);
  if (work->range.descriptor < 0) {
    int failure = -errno;
    free(work);
    return failure;
  }
  work->base.attempt = allocate;
  work->base.dispose = dispose;
  work->base.may_be_left = true;
  return interruptible_start(call, "shmkit:posix_fallocate", &work->base);
}
