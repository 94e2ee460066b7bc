/* POSIX message queues. On Linux a queue is a descriptor. */
#include "exports.h"

#include <fcntl.h>
#include <math.h>
#include <mqueue.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "environment.h"
#include "interruptible.h"
#include "queue-notices.h"

#define LONGEST_PARK_MS 50.0
/*
 * A moment that has passed on any clock: without waiting. With one to come, setting the clock back would prolong the wait. In memory
 * that can be written, which emulators want.
 */
#define AT_ONCE {.tv_sec = 0}
/* Priorities are smaller: what a receipt answers is length + priority * 2^32. */
#define PRIORITY_UNIT (INT64_C(1) << 32)

/* MqueueField in src/native/contract.ts. */
enum { FIELD_FLAGS, FIELD_MAXMSG, FIELD_MSGSIZE, FIELD_CURMSGS, FIELDS };

int64_t posix_mq_open(struct call *call) {
  struct text name;
  call_text(call, 0, "name", &name);
  int64_t flags = call_integer_or(call, 1, "oflag", 0, INT32_MAX, EINVAL);
  int64_t mode = call_integer(call, 2, "mode", 0, 07777);
  int64_t messages = call_integer_or(call, 3, "mq_maxmsg", 0, INT32_MAX, EINVAL);
  int64_t size = call_integer_or(call, 4, "mq_msgsize", 0, INT32_MAX, EINVAL);
  bool are_given = call_boolean(call, 5, "areGiven");
  if (call->stopped) return 0;
  struct mq_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.mq_maxmsg = (long)messages;
  attributes.mq_msgsize = (long)size;
  mqd_t queue = mq_open(name.bytes, (int)flags | O_CLOEXEC, (mode_t)mode, are_given ? &attributes : NULL);
  return queue == (mqd_t)-1 ? -errno : environment_adopt_for_user(call->environment, (int)queue);
}

int64_t posix_mq_unlink(struct call *call) {
  struct text name;
  call_text(call, 0, "name", &name);
  if (call->stopped) return 0;
  return mq_unlink(name.bytes) == 0 ? 0 : -errno;
}

static int64_t answer_attributes(double *target, const struct mq_attr *attributes) {
  target[FIELD_FLAGS] = (double)attributes->mq_flags;
  target[FIELD_MAXMSG] = (double)attributes->mq_maxmsg;
  target[FIELD_MSGSIZE] = (double)attributes->mq_msgsize;
  target[FIELD_CURMSGS] = (double)attributes->mq_curmsgs;
  return 0;
}

int64_t posix_mq_getattr(struct call *call) {
  int queue = call_descriptor(call, 0, "mqdes");
  double *target = call_doubles(call, 1, "target", FIELDS);
  struct mq_attr attributes;
  if (call->stopped) return 0;
  return mq_getattr(queue, &attributes) == 0 ? answer_attributes(target, &attributes) : -errno;
}

/* Answers what was before. */
int64_t posix_mq_setattr(struct call *call) {
  int queue = call_descriptor(call, 0, "mqdes");
  int64_t flags = call_integer_or(call, 1, "mq_flags", 0, INT32_MAX, EINVAL);
  double *target = call_doubles(call, 2, "target", FIELDS);
  struct mq_attr wanted;
  struct mq_attr before;
  if (call->stopped) return 0;
  memset(&wanted, 0, sizeof wanted);
  wanted.mq_flags = (long)flags;
  return mq_setattr(queue, &wanted, &before) == 0 ? answer_attributes(target, &before) : -errno;
}

/* -ETIMEDOUT: it would have to wait for longer; -EAGAIN: the queue is one that never waits. */
int64_t posix_mq_send(struct call *call) {
  int queue = call_descriptor(call, 0, "mqdes");
  struct bytes message = call_bytes(call, 1, "msg");
  int64_t priority = call_integer_or(call, 2, "prio", 0, UINT32_MAX, EINVAL);
  double milliseconds = call_number(call, 3, "timeoutMs", 0);
  if (call->stopped) return 0;
  const char *data = (const char *)message.data;
  if (milliseconds == 0) {
    struct timespec at_once = AT_ONCE;
    return mq_timedsend(queue, data, message.length, (unsigned)priority, &at_once) == 0 ? 0 : -errno;
  }
  struct interrupt_timer timer;
  int failure = interrupt_timer_begin(&timer, fmin(milliseconds, LONGEST_PARK_MS));
  if (failure != 0) return failure;
  int64_t answer = mq_send(queue, data, message.length, (unsigned)priority) == 0 ? 0 : -errno;
  interrupt_timer_end(&timer);
  return answer;
}

static int64_t receipt(ssize_t length, const unsigned *priority) {
  return length < 0 ? -errno : length + (int64_t)*priority * PRIORITY_UNIT;
}

int64_t posix_mq_receive(struct call *call) {
  int queue = call_descriptor(call, 0, "mqdes");
  struct bytes target = call_bytes(call, 1, "target");
  double milliseconds = call_number(call, 2, "timeoutMs", 0);
  unsigned priority = 0;
  if (call->stopped) return 0;
  if (milliseconds == 0) {
    struct timespec at_once = AT_ONCE;
    return receipt(mq_timedreceive(queue, (char *)target.data, target.length, &priority, &at_once), &priority);
  }
  struct interrupt_timer timer;
  int failure = interrupt_timer_begin(&timer, fmin(milliseconds, LONGEST_PARK_MS));
  if (failure != 0) return failure;
  int64_t answer = receipt(mq_receive(queue, (char *)target.data, target.length, &priority), &priority);
  interrupt_timer_end(&timer);
  return answer;
}

/* A message on its way, on a thread of its own. */
struct transfer {
  struct interruptible base;
  int queue; /* a descriptor of its own: what closes the queue meanwhile must not make this another file's */
  unsigned priority;
  size_t length;
  char bytes[];
};

static void dispose(struct interruptible *wanted) {
  queue_release(((struct transfer *)wanted)->queue);
  free(wanted);
}

/* NULL when it cannot be, with errno. */
static struct transfer *transfer_of(int queue, size_t length) {
  struct transfer *transfer = calloc(1, sizeof *transfer + length);
  if (transfer == NULL) return NULL;
  transfer->queue = fcntl(queue, F_DUPFD_CLOEXEC, 0);
  transfer->length = length;
  transfer->base.dispose = dispose;
  if (transfer->queue >= 0) return transfer;
  int failure = errno;
  free(transfer);
  errno = failure;
  return NULL;
}

static int64_t send(struct interruptible *wanted) {
  struct transfer *transfer = (struct transfer *)wanted;
  return mq_send(transfer->queue, transfer->bytes, transfer->length, transfer->priority) == 0 ? 0 : -errno;
}

int64_t posix_mq_send_async(struct call *call) {
  int queue = call_descriptor(call, 0, "mqdes");
  struct bytes message = call_bytes(call, 1, "msg");
  int64_t priority = call_integer_or(call, 2, "prio", 0, UINT32_MAX, EINVAL);
  if (call->stopped) return 0;
  struct transfer *transfer = transfer_of(queue, message.length);
  if (transfer == NULL) return -errno;
  if (message.length > 0) memcpy(transfer->bytes, message.data, message.length);
  transfer->priority = (unsigned)priority;
  transfer->base.attempt = send;
  return interruptible_start(call, "shmkit:mq_send", &transfer->base);
}

static int64_t receive(struct interruptible *wanted) {
  struct transfer *transfer = (struct transfer *)wanted;
  return receipt(mq_receive(transfer->queue, transfer->bytes, transfer->length, &transfer->priority), &transfer->priority);
}

/* The message, and what the synchronous form answers. */
static napi_value answer_message(napi_env env, struct interruptible *wanted) {
  struct transfer *transfer = (struct transfer *)wanted;
  return interruptible_message(env, wanted->result, transfer->bytes, (size_t)(wanted->result % PRIORITY_UNIT));
}

int64_t posix_mq_receive_async(struct call *call) {
  int queue = call_descriptor(call, 0, "mqdes");
  int64_t length = call_integer(call, 1, "length", 0, INT32_MAX);
  if (call->stopped) return 0;
  struct transfer *transfer = transfer_of(queue, (size_t)length);
  if (transfer == NULL) return -errno;
  transfer->base.attempt = receive;
  transfer->base.answer = answer_message;
  return interruptible_start(call, "shmkit:mq_receive", &transfer->base);
}
