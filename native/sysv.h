/* What System V's mechanisms have in common: identifiers, keys and rights. A key is a 32-bit pattern; identifiers are never negative. */
#ifndef SHMKIT_SYSV_H
#define SHMKIT_SYSV_H

#include "platform.h"

#include <sys/ipc.h>

struct call;
struct interruptible;

/* IpcField in src/native/contract.ts; what each kind has follows. */
enum { FIELD_KEY, FIELD_UID, FIELD_GID, FIELD_CUID, FIELD_CGID, FIELD_MODE, FIELD_OWN, FIELDS = 16 };

/* Argument 0, under its name in the man page; -EINVAL for a whole number that none can be. */
int sysv_call_id(struct call *call, const char *name);
/* Arguments 1 to 3 of a call with IPC_SET: user, group, mode. */
void sysv_call_rights(struct call *call, struct ipc_perm *rights);
void sysv_answer_rights(double *target, const struct ipc_perm *rights);
/* Of a call that holds nothing but its memory. */
void sysv_dispose(struct interruptible *wanted);

#endif
