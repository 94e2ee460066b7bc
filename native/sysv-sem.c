/* System V semaphores. */
#include "exports.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sem.h>

#include "interruptible.h"
#include "sysv.h"

#define LONGEST_PARK_MS 50.0
/* Linux takes no more (SEMOPM). */
#define MOST_OPERATIONS 500
/* As many as the kernel can count. */
#define MOST_SEMAPHORES 65536

union semaphore_argument {
  int value;
  struct semid_ds *facts;
  unsigned short *values;
};

int64_t sysv_semget(struct call *call) {
  key_t key = (key_t)call_bits(call, 0, "key");
  int64_t count = call_integer_or(call, 1, "nsems", 0, INT32_MAX, EINVAL);
  int64_t flags = call_integer_or(call, 2, "semflg", 0, INT32_MAX, EINVAL);
  if (call->stopped) return 0;
  int id = semget(key, (int)count, (int)flags);
  return id < 0 ? -errno : id;
}

struct operations {
  struct interruptible base;
  int id;
  size_t count;
  struct sembuf list[MOST_OPERATIONS];
};

static short short_of(double value) {
  return value >= INT16_MIN && value <= INT16_MAX ? (short)value : 0;
}

/* Three numbers each: sem_num, sem_op, sem_flg. What does not fit its field is refused by the caller. */
static void call_operations(struct call *call, struct operations *operations) {
  operations->id = sysv_call_id(call, "semid");
  int64_t count = call_integer(call, 2, "nsops", 0, INT32_MAX);
  if (!call->stopped && count > MOST_OPERATIONS) call_refuse(call, -E2BIG);
  double *numbers = call_doubles(call, 1, "sops", call->stopped ? 0 : (size_t)count * 3);
  if (call->stopped) return;
  operations->count = (size_t)count;
  for (size_t i = 0; i < operations->count; i++) {
    operations->list[i].sem_num = (unsigned short)fmin(fmax(numbers[3 * i], 0), UINT16_MAX);
    operations->list[i].sem_op = short_of(numbers[3 * i + 1]);
    operations->list[i].sem_flg = short_of(numbers[3 * i + 2]);
  }
}

/* Without waiting: -EAGAIN. */
int64_t sysv_semop(struct call *call) {
  struct operations operations;
  call_operations(call, &operations);
  if (call->stopped) return 0;
  for (size_t i = 0; i < operations.count; i++) operations.list[i].sem_flg |= IPC_NOWAIT;
  return semop(operations.id, operations.list, operations.count) == 0 ? 0 : -errno;
}

/* Waits on the calling thread, for 50 ms at most: -EINTR. -EAGAIN is an operation's with IPC_NOWAIT. */
int64_t sysv_semop_park(struct call *call) {
  struct operations operations;
  struct interrupt_timer timer;
  call_operations(call, &operations);
  double milliseconds = fmin(call_number(call, 3, "timeoutMs", 0), LONGEST_PARK_MS);
  if (call->stopped) return 0;
  int failure = interrupt_timer_begin(&timer, milliseconds);
  if (failure != 0) return failure;
  int64_t answer = semop(operations.id, operations.list, operations.count) == 0 ? 0 : -errno;
  interrupt_timer_end(&timer);
  return answer;
}

static int64_t operate(struct interruptible *wanted) {
  struct operations *operations = (struct operations *)wanted;
  return semop(operations->id, operations->list, operations->count) == 0 ? 0 : -errno;
}

int64_t sysv_semop_async(struct call *call) {
  struct operations *operations = calloc(1, sizeof *operations);
  if (operations == NULL) return -ENOMEM;
  call_operations(call, operations);
  if (call->stopped) {
    free(operations);
    return 0;
  }
  operations->base.attempt = operate;
  operations->base.dispose = sysv_dispose;
  return interruptible_start(call, "shmkit:semop", &operations->base);
}

int64_t sysv_sem_stat(struct call *call) {
  int id = sysv_call_id(call, "semid");
  double *target = call_doubles(call, 1, "target", FIELDS);
  struct semid_ds facts;
  if (call->stopped) return 0;
  memset(&facts, 0, sizeof facts);
  if (semctl(id, 0, IPC_STAT, (union semaphore_argument){.facts = &facts}) != 0) return -errno;
  sysv_answer_rights(target, &facts.sem_perm);
  double *own = target + FIELD_OWN;
  own[0] = (double)facts.sem_nsems;
  own[1] = (double)facts.sem_otime;
  own[2] = (double)facts.sem_ctime;
  return 0;
}

int64_t sysv_sem_set(struct call *call) {
  int id = sysv_call_id(call, "semid");
  struct semid_ds facts;
  memset(&facts, 0, sizeof facts);
  sysv_call_rights(call, &facts.sem_perm);
  if (call->stopped) return 0;
  return semctl(id, 0, IPC_SET, (union semaphore_argument){.facts = &facts}) == 0 ? 0 : -errno;
}

/* GETVAL, GETPID, GETNCNT, GETZCNT, SETVAL (with a value) or IPC_RMID. */
int64_t sysv_sem_command(struct call *call) {
  int id = sysv_call_id(call, "semid");
  int64_t number = call_integer_or(call, 1, "semnum", 0, INT32_MAX, EINVAL);
  int64_t command = call_integer_or(call, 2, "cmd", 0, INT32_MAX, EINVAL);
  int64_t value = call_integer(call, 3, "val", INT32_MIN, INT32_MAX);
  if (call->stopped) return 0;
  if (command != GETVAL && command != GETPID && command != GETNCNT && command != GETZCNT && command != SETVAL && command != IPC_RMID) {
    return -EINVAL;
  }
  int answer = semctl(id, (int)number, (int)command, (union semaphore_argument){.value = (int)value});
  return answer < 0 ? -errno : answer;
}

/* GETALL or SETALL: one number for each semaphore of the set. */
int64_t sysv_sem_values(struct call *call) {
  int id = sysv_call_id(call, "semid");
  call_doubles(call, 1, "values", 0);
  bool sets = call_boolean(call, 2, "sets");
  struct semid_ds facts;
  if (call->stopped) return 0;
  if (semctl(id, 0, IPC_STAT, (union semaphore_argument){.facts = &facts}) != 0) return -errno;
  size_t count = facts.sem_nsems;
  if (count > MOST_SEMAPHORES) return -E2BIG;
  double *numbers = call_doubles(call, 1, "values", count);
  if (call->stopped) return 0;
  /* By now somebody may have made a larger set of the same number. */
  unsigned short *values = calloc(MOST_SEMAPHORES, sizeof *values);
  if (values == NULL) return -ENOMEM;
  for (size_t i = 0; i < count && sets; i++) values[i] = (unsigned short)fmin(fmax(numbers[i], 0), UINT16_MAX);
  int64_t answer = semctl(id, 0, sets ? SETALL : GETALL, (union semaphore_argument){.values = values}) == 0 ? 0 : -errno;
  for (size_t i = 0; i < count && !sets && answer == 0; i++) numbers[i] = values[i];
  free(values);
  return answer;
}

