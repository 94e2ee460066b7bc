/*
 * Shared memory by name, and without one: descriptors. Beside files.c, and not part of it: names, rights under the umask and errors
 * are the C library's here, and there what regions need.
 */
#include "exports.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "environment.h"

/* Kernel interface, from <linux/memfd.h>, which older headers lack. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

int64_t posix_shm_open(struct call *call) {
  struct text name;
  call_text(call, 0, "name", &name);
  int64_t flags = call_integer_or(call, 1, "oflag", 0, INT32_MAX, EINVAL);
  int64_t mode = call_integer(call, 2, "mode", 0, 07777);
  if (call->stopped) return 0;
  int descriptor = shm_open(name.bytes, (int)flags, (mode_t)mode);
  return descriptor < 0 ? -errno : environment_adopt_for_user(call->environment, descriptor);
}

int64_t posix_shm_unlink(struct call *call) {
  struct text name;
  call_text(call, 0, "name", &name);
  if (call->stopped) return 0;
  return shm_unlink(name.bytes) == 0 ? 0 : -errno;
}

int64_t posix_memfd_create(struct call *call) {
  struct text name;
  call_text(call, 0, "name", &name);
  int64_t flags = call_integer_or(call, 1, "flags", 0, UINT32_MAX, EINVAL);
  bool is_users = call_boolean(call, 2, "isUsers");
  if (call->stopped) return 0;
  /* Pages of another size are mapped and replaced in units that nothing here knows. */
  if ((flags & ~(int64_t)(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL)) != 0) return -EINVAL;
  int descriptor = memfd_create(name.bytes, (unsigned)flags);
  if (descriptor < 0) return -errno;
  return is_users ? environment_adopt_for_user(call->environment, descriptor) : environment_adopt(call->environment, descriptor);
}

/* Nothing here can take a descriptor away from the runtime, or make it another file's. */
static bool is_harmless(int64_t command) {
  switch (command) {
    case F_GETFD:
    case F_SETFD:
    case F_GETFL:
    case F_ADD_SEALS:
    case F_GET_SEALS:
    case F_GETLEASE:
    case F_SETLEASE:
      return true;
    default:
      return false;
  }
}

int64_t posix_fcntl(struct call *call) {
  int descriptor = call_descriptor(call, 0, "fd");
  int64_t command = call_integer_or(call, 1, "cmd", 0, INT32_MAX, EINVAL);
  int64_t argument = call_integer_or(call, 2, "arg", 0, INT32_MAX, EINVAL);
  if (call->stopped) return 0;
  if (!is_harmless(command)) return -EINVAL;
  /* Who opens the file has the system tell the lease's holder, by SIGIO, which ends a process; SIGURG ends none. */
  if (command == F_SETLEASE && argument != F_UNLCK && fcntl(descriptor, F_SETSIG, SIGURG) != 0) return -errno;
  int answer = fcntl(descriptor, (int)command, (int)argument);
  return answer < 0 ? -errno : answer;
}
