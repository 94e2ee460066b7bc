/* Numbers of the system's headers by their names, and its texts for errors. */
#include "exports.h"

#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <pthread.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <time.h>

/* Kernel interface, from <linux/msg.h>, which musl's headers lack. */
#ifndef MSG_COPY
#define MSG_COPY 040000
#endif

/* Kernel interface, from <linux/memfd.h> and <linux/fcntl.h>, which older headers lack. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

#define NUMBER(name) {#name, name}

static const struct {
  const char *name;
  int64_t value;
} NUMBERS[] = {
    NUMBER(O_RDONLY), NUMBER(O_WRONLY), NUMBER(O_RDWR), NUMBER(O_CREAT), NUMBER(O_EXCL), NUMBER(O_TRUNC), NUMBER(O_NONBLOCK),
    NUMBER(O_CLOEXEC),
    NUMBER(PROT_NONE), NUMBER(PROT_READ), NUMBER(PROT_WRITE), NUMBER(PROT_EXEC),
    NUMBER(MAP_SHARED), NUMBER(MAP_PRIVATE), NUMBER(MAP_ANONYMOUS), NUMBER(MAP_NORESERVE), NUMBER(MAP_POPULATE), NUMBER(MAP_LOCKED),
    NUMBER(MS_ASYNC), NUMBER(MS_SYNC), NUMBER(MS_INVALIDATE),
    NUMBER(MADV_NORMAL), NUMBER(MADV_RANDOM), NUMBER(MADV_SEQUENTIAL), NUMBER(MADV_WILLNEED), NUMBER(MADV_DONTNEED),
    NUMBER(MADV_FREE), NUMBER(MADV_REMOVE), NUMBER(MADV_DONTFORK), NUMBER(MADV_DOFORK), NUMBER(MADV_MERGEABLE),
    NUMBER(MADV_UNMERGEABLE), NUMBER(MADV_HUGEPAGE), NUMBER(MADV_NOHUGEPAGE), NUMBER(MADV_DONTDUMP), NUMBER(MADV_DODUMP),
    NUMBER(MFD_CLOEXEC), NUMBER(MFD_ALLOW_SEALING), NUMBER(MFD_NOEXEC_SEAL),
    NUMBER(F_GETFD), NUMBER(F_SETFD), NUMBER(F_GETFL), NUMBER(F_ADD_SEALS), NUMBER(F_GET_SEALS), NUMBER(FD_CLOEXEC),
    NUMBER(F_GETLEASE), NUMBER(F_SETLEASE), NUMBER(F_RDLCK), NUMBER(F_WRLCK), NUMBER(F_UNLCK),
    NUMBER(F_SEAL_SEAL), NUMBER(F_SEAL_SHRINK), NUMBER(F_SEAL_GROW), NUMBER(F_SEAL_WRITE), NUMBER(F_SEAL_FUTURE_WRITE),
    NUMBER(PTHREAD_MUTEX_NORMAL), NUMBER(PTHREAD_MUTEX_RECURSIVE), NUMBER(PTHREAD_MUTEX_ERRORCHECK),
    NUMBER(PTHREAD_MUTEX_STALLED), NUMBER(PTHREAD_MUTEX_ROBUST), NUMBER(CLOCK_REALTIME), NUMBER(CLOCK_MONOTONIC),
    NUMBER(EOWNERDEAD), NUMBER(ENOTRECOVERABLE),
    {"SIZEOF_PTHREAD_MUTEX_T", sizeof(pthread_mutex_t)}, {"SIZEOF_PTHREAD_COND_T", sizeof(pthread_cond_t)},
    NUMBER(IPC_CREAT), NUMBER(IPC_EXCL), NUMBER(IPC_NOWAIT), NUMBER(IPC_RMID), NUMBER(IPC_SET), NUMBER(IPC_STAT), NUMBER(IPC_PRIVATE),
    NUMBER(SHM_RDONLY), NUMBER(SHM_LOCK), NUMBER(SHM_UNLOCK), NUMBER(SHM_NORESERVE),
    NUMBER(GETVAL), NUMBER(SETVAL), NUMBER(GETALL), NUMBER(SETALL), NUMBER(GETPID), NUMBER(GETNCNT), NUMBER(GETZCNT), NUMBER(SEM_UNDO),
    NUMBER(MSG_NOERROR), NUMBER(MSG_EXCEPT), NUMBER(MSG_COPY),
};

int64_t system_constants(struct call *call) {
  napi_value answer;
  if (napi_create_object(call->env, &answer) != napi_ok) return -ENOMEM;
  for (size_t i = 0; i < COUNT_OF(NUMBERS); i++) {
    napi_value value;
    if (napi_create_int64(call->env, NUMBERS[i].value, &value) != napi_ok ||
        napi_set_named_property(call->env, answer, NUMBERS[i].name, value) != napi_ok) {
      return -ENOMEM;
    }
  }
  call->result = answer;
  return 0;
}

int64_t error_text(struct call *call) {
  int64_t number = call_integer(call, 0, "errno", 0, INT32_MAX);
  if (call->stopped) return 0;
  /* In English whatever the environment says, and safe on every thread. */
  locale_t locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (locale == (locale_t)0) return -ENOMEM;
  const char *text = strerror_l((int)number, locale);
  napi_status status = napi_create_string_utf8(call->env, text, NAPI_AUTO_LENGTH, &call->result);
  freelocale(locale);
  return status == napi_ok ? 0 : -ENOMEM;
}
