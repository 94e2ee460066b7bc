#include "sysv.h"

#include <stdlib.h>

#include "exports.h"
#include "interruptible.h"

int sysv_call_id(struct call *call, const char *name) {
  return (int)call_integer_or(call, 0, name, 0, INT32_MAX, EINVAL);
}

void sysv_call_rights(struct call *call, struct ipc_perm *rights) {
  rights->uid = call_bits(call, 1, "uid");
  rights->gid = call_bits(call, 2, "gid");
  rights->mode = (unsigned short)call_integer(call, 3, "mode", 0, 0777);
}

/* C libraries differ in what they call the key. */
#ifdef __GLIBC__
#define KEY_OF(rights) ((rights)->__key)
#else
#define KEY_OF(rights) ((rights)->__ipc_perm_key)
#endif

void sysv_answer_rights(double *target, const struct ipc_perm *rights) {
  target[FIELD_KEY] = (double)(uint32_t)KEY_OF(rights);
  target[FIELD_UID] = rights->uid;
  target[FIELD_GID] = rights->gid;
  target[FIELD_CUID] = rights->cuid;
  target[FIELD_CGID] = rights->cgid;
  target[FIELD_MODE] = rights->mode;
}

void sysv_dispose(struct interruptible *wanted) {
  free(wanted);
}

int64_t sysv_ftok(struct call *call) {
  struct text path;
  call_text(call, 0, "pathname", &path);
  int64_t project = call_integer(call, 1, "proj_id", 0, INT32_MAX);
  if (call->stopped) return 0;
  errno = 0; /* -1 may be a key */
  key_t key = ftok(path.bytes, (int)project);
  return key == (key_t)-1 && errno != 0 ? -errno : (int64_t)(uint32_t)key;
}
