/*
 * system: there and back between two processes by the system's own mechanisms, in calls that block: two POSIX semaphores, two
 * POSIX message queues, a set of System V semaphores, a System V message queue.
 */
#include "bench.h"

#include <fcntl.h>
#include <mqueue.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <unistd.h>

#define TURNS 32
#define MESSAGE_BYTES 64

enum { THERE, BACK };

struct shared {
  struct {
    _Alignas(LINE_BYTES) sem_t semaphore;
  } ways[2];
  _Alignas(LINE_BYTES) volatile int over;
  volatile uint64_t far_count;
};

static struct run run;
static struct shared *shared;
static mqd_t queues[2];
static int set = -1;
static int messages = -1;

struct message_text {
  long type;
  char bytes[MESSAGE_BYTES];
};

static void make_semaphores(void) {
  for (int way = 0; way < 2; way++)
    if (sem_init(&shared->ways[way].semaphore, 1, 0) != 0) fail("sem_init");
}
static void post(int way) {
  if (sem_post(&shared->ways[way].semaphore) != 0) fail("sem_post");
}
static void take(int way) {
  if (sem_wait(&shared->ways[way].semaphore) != 0) fail("sem_wait");
}

static void make_queues(void) {
  struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = MESSAGE_BYTES};
  for (int way = 0; way < 2; way++) {
    char name[64];
    snprintf(name, sizeof name, "/shmkit-bench-%d-%d", (int)getpid(), way);
    queues[way] = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
    if (queues[way] == (mqd_t)-1) fail("mq_open");
    mq_unlink(name);
  }
}
static void send_queue(int way) {
  char bytes[MESSAGE_BYTES] = "";
  if (mq_send(queues[way], bytes, sizeof bytes, 0) != 0) fail("mq_send");
}
static void receive_queue(int way) {
  char bytes[MESSAGE_BYTES];
  if (mq_receive(queues[way], bytes, sizeof bytes, NULL) != MESSAGE_BYTES) fail("mq_receive");
}

static void make_set(void) {
  set = semget(IPC_PRIVATE, 2, IPC_CREAT | 0600);
  if (set < 0) fail("semget");
}
static void operate(int way, short operation) {
  struct sembuf what = {.sem_num = (unsigned short)way, .sem_op = operation};
  if (semop(set, &what, 1) != 0) fail("semop");
}
static void post_set(int way) {
  operate(way, 1);
}
static void take_set(int way) {
  operate(way, -1);
}

static void make_messages(void) {
  messages = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
  if (messages < 0) fail("msgget");
}
static void send_message(int way) {
  struct message_text text = {.type = 1 + way};
  if (msgsnd(messages, &text, sizeof text.bytes, 0) != 0) fail("msgsnd");
}
static void receive_message(int way) {
  struct message_text text;
  if (msgrcv(messages, &text, sizeof text.bytes, 1 + way, 0) != MESSAGE_BYTES) fail("msgrcv");
}

static const struct mechanism {
  const char *name;
  void (*make)(void);
  void (*send)(int way);
  void (*await)(int way);
} MECHANISMS[] = {
    {"posix-semaphore", make_semaphores, post, take},
    {"posix-queue", make_queues, send_queue, receive_queue},
    {"sysv-semaphore", make_set, post_set, take_set},
    {"sysv-queue", make_messages, send_message, receive_message},
};

static void answer(void *argument) {
  const struct mechanism *mechanism = argument;
  for (;;) {
    mechanism->await(THERE);
    if (shared->over) break;
    shared->far_count++;
    mechanism->send(BACK);
  }
  mechanism->send(BACK);
}

/* They would outlive this process, which is the only one that knows of them. */
static pid_t owner;
static void remove_all(void) {
  if (getpid() != owner) return;
  if (set >= 0) semctl(set, 0, IPC_RMID);
  if (messages >= 0) msgctl(messages, IPC_RMID, NULL);
}

static void turns(const struct mechanism *mechanism) {
  struct samples samples = samples_for(&run);
  uint64_t count = 0;
  while (samples_open(&samples)) {
    for (int i = 0; i < TURNS; i++, count++) {
      mechanism->send(THERE);
      mechanism->await(BACK);
    }
    samples_add(&samples, TURNS);
  }
  shared->over = 1;
  mechanism->send(THERE);
  mechanism->await(BACK);
  join_sides();
  if (shared->far_count != count) fail("answered %lu of %lu turns", shared->far_count, count);
  samples_report(&samples, (double)count);
}

int system_main(int count, char **arguments) {
  run = parse_run(count, arguments);
  shared = shared_memory(sizeof *shared);
  owner = getpid();
  atexit(remove_all);
  for (size_t i = 0; count > 1 && i < sizeof MECHANISMS / sizeof *MECHANISMS; i++) {
    if (strcmp(arguments[1], MECHANISMS[i].name) != 0) continue;
    MECHANISMS[i].make();
    pin_to(run.cores[0]);
    fork_side(&run, answer, (void *)&MECHANISMS[i]);
    turns(&MECHANISMS[i]);
    return 0;
  }
  fail("there is no such mechanism");
}
