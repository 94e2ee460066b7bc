/* System V shared memory. */
#include "exports.h"

#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>

#include "guard.h"
#include "mapping.h"
#include "sysv.h"

int64_t sysv_shmget(struct call *call) {
  key_t key = (key_t)call_bits(call, 0, "key");
  int64_t size = call_integer_or(call, 1, "size", 0, MAX_SAFE_INTEGER, EINVAL);
  int64_t flags = call_integer_or(call, 2, "shmflg", 0, INT32_MAX, EINVAL);
  if (call->stopped) return 0;
  /* Pages of another size are mapped and replaced in units that nothing here knows. */
  if ((flags & SHM_HUGETLB) != 0) return -EINVAL;
  int id = shmget(key, (size_t)size, (int)flags);
  return id < 0 ? -errno : id;
}

int64_t sysv_shmat(struct call *call) {
  int id = sysv_call_id(call, "shmid");
  int64_t flags = call_integer_or(call, 1, "shmflg", 0, INT32_MAX, EINVAL);
  if (call->stopped) return 0;
  /* An address, and what may be executed there, are not JavaScript's to choose. */
  if ((flags & ~SHM_RDONLY) != 0) return -EINVAL;
  void *base = shmat(id, NULL, (int)flags);
  if (base == (void *)-1) return -errno;
  struct shmid_ds facts;
  /* It is attached, so that it exists. */
  int failure = shmctl(id, IPC_STAT, &facts) == 0 ? 0 : -errno;
  struct mapping *mapping = failure == 0 ? mapping_create(facts.shm_segsz, (flags & SHM_RDONLY) == 0) : NULL;
  if (failure == 0 && mapping == NULL) failure = -ENOMEM;
  if (failure != 0) {
    shmdt(base);
    return failure;
  }
  mapping->is_segment = true;
  failure = mapping->writable ? 0 : guard_against_writes(mapping);
  if (failure != 0) shmdt(base);
  else failure = mapping_guard(mapping, base);
  if (failure == 0) return mapping_offer(call, mapping, false);
  free(mapping);
  return failure;
}

int64_t sysv_shm_stat(struct call *call) {
  int id = sysv_call_id(call, "shmid");
  double *target = call_doubles(call, 1, "target", FIELDS);
  struct shmid_ds facts;
  if (call->stopped) return 0;
  if (shmctl(id, IPC_STAT, &facts) != 0) return -errno;
  sysv_answer_rights(target, &facts.shm_perm);
  double *own = target + FIELD_OWN;
  own[0] = (double)facts.shm_segsz;
  own[1] = (double)facts.shm_atime;
  own[2] = (double)facts.shm_dtime;
  own[3] = (double)facts.shm_ctime;
  own[4] = (double)facts.shm_cpid;
  own[5] = (double)facts.shm_lpid;
  own[6] = (double)facts.shm_nattch;
  return 0;
}

int64_t sysv_shm_set(struct call *call) {
  int id = sysv_call_id(call, "shmid");
  struct shmid_ds facts;
  memset(&facts, 0, sizeof facts);
  sysv_call_rights(call, &facts.shm_perm);
  if (call->stopped) return 0;
  return shmctl(id, IPC_SET, &facts) == 0 ? 0 : -errno;
}

/* IPC_RMID, SHM_LOCK or SHM_UNLOCK. */
int64_t sysv_shm_command(struct call *call) {
  int id = sysv_call_id(call, "shmid");
  int64_t command = call_integer_or(call, 1, "cmd", 0, INT32_MAX, EINVAL);
  if (call->stopped) return 0;
  if (command != IPC_RMID && command != SHM_LOCK && command != SHM_UNLOCK) return -EINVAL;
  return shmctl(id, (int)command, NULL) == 0 ? 0 : -errno;
}

