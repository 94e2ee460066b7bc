/* System V shared memory, semaphores and message queues. A key is a 32-bit pattern; identifiers are never negative. */
#include "exports.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <time.h>
#include <unistd.h>

#include "interruptible.h"
#include "mapping.h"

#define LONGEST_PARK_MS 50.0
/* Linux takes no more (SEMOPM). */
#define MOST_OPERATIONS 500
/* As many as the kernel can count. */
#define MOST_SEMAPHORES 65536

/* IpcField in src/native/contract.ts; what each kind has follows. */
enum { FIELD_KEY, FIELD_UID, FIELD_GID, FIELD_CUID, FIELD_CGID, FIELD_MODE, FIELD_OWN, FIELDS = 16 };

union semaphore_argument {
  int value;
  struct semid_ds *facts;
  unsigned short *values;
};

static int call_id(struct call *call, size_t index) {
  return (int)call_integer(call, index, "id", 0, INT32_MAX);
}

static void answer_rights(double *target, const struct ipc_perm *rights, key_t key) {
  target[FIELD_KEY] = (double)(uint32_t)key;
  target[FIELD_UID] = rights->uid;
  target[FIELD_GID] = rights->gid;
  target[FIELD_CUID] = rights->cuid;
  target[FIELD_CGID] = rights->cgid;
  target[FIELD_MODE] = rights->mode;
}

/* C libraries differ in what they call the key. */
#ifdef __GLIBC__
#define KEY_OF(rights) ((rights).__key)
#else
#define KEY_OF(rights) ((rights).__ipc_perm_key)
#endif

int64_t sysv_ftok(struct call *call) {
  struct text path;
  call_text(call, 0, "pathname", &path);
  int64_t project = call_integer(call, 1, "proj_id", 0, INT32_MAX);
  if (call->stopped) return 0;
  errno = 0; /* -1 may be a key */
  key_t key = ftok(path.bytes, (int)project);
  return key == (key_t)-1 && errno != 0 ? -errno : (int64_t)(uint32_t)key;
}

/* Shared memory. */

int64_t sysv_shmget(struct call *call) {
  key_t key = (key_t)call_bits(call, 0, "key");
  int64_t size = call_integer(call, 1, "size", 0, MAX_SAFE_INTEGER);
  int64_t flags = call_integer(call, 2, "shmflg", 0, INT32_MAX);
  if (call->stopped) return 0;
  /* Pages of another size are mapped and replaced in units that nothing here knows. */
  if ((flags & SHM_HUGETLB) != 0) return -EINVAL;
  int id = shmget(key, (size_t)size, (int)flags);
  return id < 0 ? -errno : id;
}

int64_t sysv_shmat(struct call *call) {
  int id = call_id(call, 0);
  int64_t flags = call_integer(call, 1, "shmflg", 0, INT32_MAX);
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
  mapping->faults_on_write = (flags & SHM_RDONLY) != 0;
  failure = mapping_guard(mapping, base);
  if (failure == 0) return mapping_offer(call, mapping, false);
  free(mapping);
  return failure;
}

int64_t sysv_shm_stat(struct call *call) {
  int id = call_id(call, 0);
  double *target = call_doubles(call, 1, "target", FIELDS);
  struct shmid_ds facts;
  if (call->stopped) return 0;
  if (shmctl(id, IPC_STAT, &facts) != 0) return -errno;
  answer_rights(target, &facts.shm_perm, KEY_OF(facts.shm_perm));
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
  int id = call_id(call, 0);
  uint32_t uid = call_bits(call, 1, "uid");
  uint32_t gid = call_bits(call, 2, "gid");
  int64_t mode = call_integer(call, 3, "mode", 0, 0777);
  struct shmid_ds facts;
  if (call->stopped) return 0;
  memset(&facts, 0, sizeof facts);
  facts.shm_perm.uid = uid;
  facts.shm_perm.gid = gid;
  facts.shm_perm.mode = (unsigned short)mode;
  return shmctl(id, IPC_SET, &facts) == 0 ? 0 : -errno;
}

/* IPC_RMID, SHM_LOCK or SHM_UNLOCK. */
int64_t sysv_shm_command(struct call *call) {
  int id = call_id(call, 0);
  int64_t command = call_integer(call, 1, "cmd", 0, INT32_MAX);
  if (call->stopped) return 0;
  if (command != IPC_RMID && command != SHM_LOCK && command != SHM_UNLOCK) return -EINVAL;
  return shmctl(id, (int)command, NULL) == 0 ? 0 : -errno;
}

/* Semaphores. */

int64_t sysv_semget(struct call *call) {
  key_t key = (key_t)call_bits(call, 0, "key");
  int64_t count = call_integer(call, 1, "nsems", 0, INT32_MAX);
  int64_t flags = call_integer(call, 2, "semflg", 0, INT32_MAX);
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
  operations->id = call_id(call, 0);
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

static void dispose(struct interruptible *wanted) {
  free(wanted);
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
  operations->base.dispose = dispose;
  return interruptible_start(call, "shmkit:semop", &operations->base);
}

int64_t sysv_sem_stat(struct call *call) {
  int id = call_id(call, 0);
  double *target = call_doubles(call, 1, "target", FIELDS);
  struct semid_ds facts;
  if (call->stopped) return 0;
  memset(&facts, 0, sizeof facts);
  if (semctl(id, 0, IPC_STAT, (union semaphore_argument){.facts = &facts}) != 0) return -errno;
  answer_rights(target, &facts.sem_perm, KEY_OF(facts.sem_perm));
  double *own = target + FIELD_OWN;
  own[0] = (double)facts.sem_nsems;
  own[1] = (double)facts.sem_otime;
  own[2] = (double)facts.sem_ctime;
  return 0;
}

int64_t sysv_sem_set(struct call *call) {
  int id = call_id(call, 0);
  uint32_t uid = call_bits(call, 1, "uid");
  uint32_t gid = call_bits(call, 2, "gid");
  int64_t mode = call_integer(call, 3, "mode", 0, 0777);
  struct semid_ds facts;
  if (call->stopped) return 0;
  memset(&facts, 0, sizeof facts);
  facts.sem_perm.uid = uid;
  facts.sem_perm.gid = gid;
  facts.sem_perm.mode = (unsigned short)mode;
  return semctl(id, 0, IPC_SET, (union semaphore_argument){.facts = &facts}) == 0 ? 0 : -errno;
}

/* GETVAL, GETPID, GETNCNT, GETZCNT, SETVAL (with a value) or IPC_RMID. */
int64_t sysv_sem_command(struct call *call) {
  int id = call_id(call, 0);
  int64_t number = call_integer(call, 1, "semnum", 0, INT32_MAX);
  int64_t command = call_integer(call, 2, "cmd", 0, INT32_MAX);
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
  int id = call_id(call, 0);
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

/* Message queues. */

int64_t sysv_msgget(struct call *call) {
  key_t key = (key_t)call_bits(call, 0, "key");
  int64_t flags = call_integer(call, 1, "msgflg", 0, INT32_MAX);
  if (call->stopped) return 0;
  int id = msgget(key, (int)flags);
  return id < 0 ? -errno : id;
}

/* A message, with what the calls need beside it. */
struct message {
  struct interruptible base;
  int id;
  int flags;
  long wanted;
  size_t length;
  struct {
    long type;
    char bytes[];
  } text;
};

static struct message *message_of(int id, size_t length, int64_t type, int flags) {
  struct message *message = calloc(1, sizeof *message + length);
  if (message == NULL) return NULL;
  message->id = id;
  message->flags = flags;
  message->wanted = (long)type;
  message->length = length;
  message->text.type = (long)type;
  message->base.dispose = dispose;
  return message;
}

static int64_t send_message(struct interruptible *wanted) {
  struct message *message = (struct message *)wanted;
  return msgsnd(message->id, &message->text, message->length, message->flags) == 0 ? 0 : -errno;
}

static int64_t receive_message(struct interruptible *wanted) {
  struct message *message = (struct message *)wanted;
  ssize_t length = msgrcv(message->id, &message->text, message->length, message->wanted, message->flags);
  return length < 0 ? -errno : length;
}

/* Arguments 0 to 3: id, type, message, flags. */
static struct message *call_message(struct call *call) {
  int id = call_id(call, 0);
  int64_t type = call_integer(call, 1, "mtype", -MAX_SAFE_INTEGER, MAX_SAFE_INTEGER);
  struct bytes bytes = call_bytes(call, 2, "msg");
  int64_t flags = call_integer(call, 3, "msgflg", 0, INT32_MAX);
  if (call->stopped) return NULL;
  struct message *message = message_of(id, bytes.length, type, (int)flags);
  if (message == NULL) call_refuse(call, -ENOMEM);
  else if (bytes.length > 0) memcpy(message->text.bytes, bytes.data, bytes.length);
  return message;
}

/* Makes the call on this thread; with a timeout of 0 it must have IPC_NOWAIT. */
static int64_t attempt_here(struct message *message, int64_t (*attempt)(struct interruptible *), double milliseconds) {
  struct interrupt_timer timer;
  if (milliseconds == 0) {
    message->flags |= IPC_NOWAIT;
    return attempt(&message->base);
  }
  int failure = interrupt_timer_begin(&timer, fmin(milliseconds, LONGEST_PARK_MS));
  if (failure != 0) return failure;
  int64_t answer = attempt(&message->base);
  interrupt_timer_end(&timer);
  return answer;
}

int64_t sysv_msgsnd(struct call *call) {
  double milliseconds = call_number(call, 4, "timeoutMs", 0);
  struct message *message = call_message(call);
  if (message == NULL) return 0;
  int64_t answer = attempt_here(message, send_message, milliseconds);
  free(message);
  return answer;
}

int64_t sysv_msgsnd_async(struct call *call) {
  struct message *message = call_message(call);
  if (message == NULL) return 0;
  message->base.attempt = send_message;
  return interruptible_start(call, "shmkit:msgsnd", &message->base);
}

/* Arguments: id, target, type, flags, timeout, where the type goes. */
int64_t sysv_msgrcv(struct call *call) {
  int id = call_id(call, 0);
  struct bytes target = call_bytes(call, 1, "target");
  int64_t type = call_integer(call, 2, "msgtyp", -MAX_SAFE_INTEGER, MAX_SAFE_INTEGER);
  int64_t flags = call_integer(call, 3, "msgflg", 0, INT32_MAX);
  double milliseconds = call_number(call, 4, "timeoutMs", 0);
  double *found = call_doubles(call, 5, "mtype", 1);
  if (call->stopped) return 0;
  struct message *message = message_of(id, target.length, type, (int)flags);
  if (message == NULL) return -ENOMEM;
  int64_t answer = attempt_here(message, receive_message, milliseconds);
  if (answer >= 0) {
    found[0] = (double)message->text.type;
    if (answer > 0) memcpy(target.data, message->text.bytes, (size_t)answer);
  }
  free(message);
  return answer;
}

static napi_value answer_message(napi_env env, struct interruptible *wanted) {
  struct message *message = (struct message *)wanted;
  return interruptible_message(env, message->text.type, message->text.bytes, (size_t)wanted->result);
}

int64_t sysv_msgrcv_async(struct call *call) {
  int id = call_id(call, 0);
  int64_t length = call_integer(call, 1, "msgsz", 0, INT32_MAX);
  int64_t type = call_integer(call, 2, "msgtyp", -MAX_SAFE_INTEGER, MAX_SAFE_INTEGER);
  int64_t flags = call_integer(call, 3, "msgflg", 0, INT32_MAX);
  if (call->stopped) return 0;
  struct message *message = message_of(id, (size_t)length, type, (int)flags);
  if (message == NULL) return -ENOMEM;
  message->base.attempt = receive_message;
  message->base.answer = answer_message;
  return interruptible_start(call, "shmkit:msgrcv", &message->base);
}

int64_t sysv_msg_stat(struct call *call) {
  int id = call_id(call, 0);
  double *target = call_doubles(call, 1, "target", FIELDS);
  struct msqid_ds facts;
  if (call->stopped) return 0;
  if (msgctl(id, IPC_STAT, &facts) != 0) return -errno;
  answer_rights(target, &facts.msg_perm, KEY_OF(facts.msg_perm));
  double *own = target + FIELD_OWN;
  own[0] = (double)facts.msg_qnum;
  own[1] = (double)facts.msg_qbytes;
  own[2] = (double)facts.msg_lspid;
  own[3] = (double)facts.msg_lrpid;
  own[4] = (double)facts.msg_stime;
  own[5] = (double)facts.msg_rtime;
  own[6] = (double)facts.msg_ctime;
  own[7] = (double)facts.__msg_cbytes;
  return 0;
}

int64_t sysv_msg_set(struct call *call) {
  int id = call_id(call, 0);
  uint32_t uid = call_bits(call, 1, "uid");
  uint32_t gid = call_bits(call, 2, "gid");
  int64_t mode = call_integer(call, 3, "mode", 0, 0777);
  int64_t bytes = call_integer(call, 4, "msg_qbytes", 0, MAX_SAFE_INTEGER);
  struct msqid_ds facts;
  if (call->stopped) return 0;
  memset(&facts, 0, sizeof facts);
  facts.msg_perm.uid = uid;
  facts.msg_perm.gid = gid;
  facts.msg_perm.mode = (unsigned short)mode;
  facts.msg_qbytes = (unsigned long)bytes;
  return msgctl(id, IPC_SET, &facts) == 0 ? 0 : -errno;
}

int64_t sysv_msg_remove(struct call *call) {
  int id = call_id(call, 0);
  if (call->stopped) return 0;
  return msgctl(id, IPC_RMID, NULL) == 0 ? 0 : -errno;
}
