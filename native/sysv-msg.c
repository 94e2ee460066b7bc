/* System V message queues. */
#include "exports.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>

#include "interruptible.h"
#include "sysv.h"

#define LONGEST_PARK_MS 50.0

int64_t sysv_msgget(struct call *call) {
  key_t key = (key_t)call_bits(call, 0, "key");
  int64_t flags = call_integer_or(call, 1, "msgflg", 0, INT32_MAX, EINVAL);
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
  message->base.dispose = sysv_dispose;
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
  int id = sysv_call_id(call, "msqid");
  int64_t type = call_integer(call, 1, "mtype", -MAX_SAFE_INTEGER, MAX_SAFE_INTEGER);
  struct bytes bytes = call_bytes(call, 2, "msg");
  int64_t flags = call_integer_or(call, 3, "msgflg", 0, INT32_MAX, EINVAL);
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
  int id = sysv_call_id(call, "msqid");
  struct bytes target = call_bytes(call, 1, "target");
  int64_t type = call_integer(call, 2, "msgtyp", -MAX_SAFE_INTEGER, MAX_SAFE_INTEGER);
  int64_t flags = call_integer_or(call, 3, "msgflg", 0, INT32_MAX, EINVAL);
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
  int id = sysv_call_id(call, "msqid");
  int64_t length = call_integer_or(call, 1, "msgsz", 0, INT32_MAX, EINVAL);
  int64_t type = call_integer(call, 2, "msgtyp", -MAX_SAFE_INTEGER, MAX_SAFE_INTEGER);
  int64_t flags = call_integer_or(call, 3, "msgflg", 0, INT32_MAX, EINVAL);
  if (call->stopped) return 0;
  struct message *message = message_of(id, (size_t)length, type, (int)flags);
  if (message == NULL) return -ENOMEM;
  message->base.attempt = receive_message;
  message->base.answer = answer_message;
  return interruptible_start(call, "shmkit:msgrcv", &message->base);
}

int64_t sysv_msg_stat(struct call *call) {
  int id = sysv_call_id(call, "msqid");
  double *target = call_doubles(call, 1, "target", FIELDS);
  struct msqid_ds facts;
  if (call->stopped) return 0;
  if (msgctl(id, IPC_STAT, &facts) != 0) return -errno;
  sysv_answer_rights(target, &facts.msg_perm);
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
  int id = sysv_call_id(call, "msqid");
  struct msqid_ds facts;
  memset(&facts, 0, sizeof facts);
  sysv_call_rights(call, &facts.msg_perm);
  int64_t bytes = call_integer(call, 4, "msg_qbytes", 0, MAX_SAFE_INTEGER);
  if (call->stopped) return 0;
  facts.msg_qbytes = (unsigned long)bytes;
  return msgctl(id, IPC_SET, &facts) == 0 ? 0 : -errno;
}

int64_t sysv_msg_remove(struct call *call) {
  int id = sysv_call_id(call, "msqid");
  if (call->stopped) return 0;
  return msgctl(id, IPC_RMID, NULL) == 0 ? 0 : -errno;
}
