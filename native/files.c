/* Names and files. Every descriptor is O_CLOEXEC and owned by the environment that opened it. */
#include "exports.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "environment.h"
#include "files.h"

void descriptor_path(int descriptor, char path[DESCRIPTOR_PATH_BYTES]) {
  snprintf(path, DESCRIPTOR_PATH_BYTES, "/proc/self/fd/%d", descriptor);
}

int path_is_descriptor(const char *path, int descriptor) {
  struct stat named;
  struct stat opened;
  if (fstat(descriptor, &opened) != 0) return -errno;
  if (fstatat(AT_FDCWD, path, &named, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
  return named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

int reopen_descriptor(int descriptor) {
  struct stat found;
  char path[DESCRIPTOR_PATH_BYTES];
  if (fstat(descriptor, &found) != 0) return -errno;
  if (!S_ISREG(found.st_mode)) return -ENXIO; /* a terminal or a pipe would be opened anew, with side effects */
  descriptor_path(descriptor, path);
  int opened = open(path, O_RDWR | O_CLOEXEC);
  return opened < 0 ? -errno : opened;
}

static int64_t call_mode(struct call *call, size_t index) {
  return call_integer(call, index, "mode", 0, 0777);
}

/* Gives a file just created exactly `mode`, whatever the umask. */
static int64_t own_created(struct call *call, int descriptor, mode_t mode) {
  if (descriptor < 0) return -errno;
  if (fchmod(descriptor, mode) != 0) {
    int failure = errno;
    close(descriptor);
    return -failure;
  }
  return environment_adopt(call->environment, descriptor);
}

int64_t open_temporary(struct call *call) {
  struct text directory;
  call_text(call, 0, "directory", &directory);
  mode_t mode = (mode_t)call_mode(call, 1);
  if (call->stopped) return 0;
  return own_created(call, open(directory.bytes, O_TMPFILE | O_RDWR | O_CLOEXEC, mode), mode);
}

int64_t create_exclusive(struct call *call) {
  struct text path;
  call_text(call, 0, "path", &path);
  mode_t mode = (mode_t)call_mode(call, 1);
  if (call->stopped) return 0;
  return own_created(call, open(path.bytes, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, mode), mode);
}

int64_t open_existing(struct call *call) {
  struct text path;
  struct stat found;
  call_text(call, 0, "path", &path);
  bool writable = call_boolean(call, 1, "writable");
  if (call->stopped) return 0;
  /* O_NONBLOCK: a FIFO planted under the name must not block; on a regular file it means nothing. */
  int flags = (writable ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  int descriptor = open(path.bytes, flags);
  if (descriptor < 0) return errno == EISDIR ? -ENXIO : -errno;
  int failure = fstat(descriptor, &found) != 0 ? errno : S_ISREG(found.st_mode) ? 0 : ENXIO;
  if (failure != 0) {
    close(descriptor);
    return -failure;
  }
  return environment_adopt(call->environment, descriptor);
}

int64_t reopen(struct call *call) {
  int descriptor = call_descriptor(call, 0, "fd");
  if (call->stopped) return 0;
  return environment_adopt(call->environment, reopen_descriptor(descriptor));
}

int64_t link_descriptor(struct call *call) {
  struct text path;
  char source[DESCRIPTOR_PATH_BYTES];
  int descriptor = call_descriptor(call, 0, "fd");
  call_text(call, 1, "path", &path);
  if (call->stopped) return 0;
  descriptor_path(descriptor, source);
  return linkat(AT_FDCWD, source, AT_FDCWD, path.bytes, AT_SYMLINK_FOLLOW) == 0 ? 0 : -errno;
}

int64_t link_path(struct call *call) {
  struct text from;
  struct text to;
  call_text(call, 0, "from", &from);
  call_text(call, 1, "to", &to);
  if (call->stopped) return 0;
  return linkat(AT_FDCWD, from.bytes, AT_FDCWD, to.bytes, 0) == 0 ? 0 : -errno;
}

int64_t unlink_path(struct call *call) {
  struct text path;
  call_text(call, 0, "path", &path);
  if (call->stopped) return 0;
  return unlink(path.bytes) == 0 ? 0 : -errno;
}

int64_t same_file(struct call *call) {
  struct text path;
  call_text(call, 0, "path", &path);
  int descriptor = call_descriptor(call, 1, "fd");
  if (call->stopped) return 0;
  return path_is_descriptor(path.bytes, descriptor);
}

/* In the order of StatField in src/native/contract.ts. */
int64_t stat_descriptor(struct call *call) {
  struct stat found;
  int descriptor = call_descriptor(call, 0, "fd");
  double *target = call_doubles(call, 1, "target", 8);
  if (call->stopped) return 0;
  if (fstat(descriptor, &found) != 0) return -errno;
  const double fields[8] = {
      (double)found.st_size, (double)found.st_uid, (double)found.st_gid,   (double)found.st_mode,
      (double)found.st_ino,  (double)found.st_dev, (double)found.st_nlink, (double)found.st_blocks * 512.0,
  };
  for (size_t i = 0; i < COUNT_OF(fields); i++) target[i] = fields[i];
  return 0;
}

int64_t close_descriptor(struct call *call) {
  int descriptor = call_descriptor(call, 0, "fd");
  if (call->stopped) return 0;
  return environment_close(call->environment, descriptor);
}

int64_t close_users_descriptor(struct call *call) {
  int descriptor = call_descriptor(call, 0, "fd");
  if (call->stopped) return 0;
  const struct owned_descriptor *owned = environment_owned(call->environment, descriptor);
  return owned == NULL || !owned->is_users ? -EBADF : environment_close(call->environment, descriptor);
}
