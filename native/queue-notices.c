/* Registrations with POSIX message queues: each waits on a thread of its own. */
#include "exports.h"

#include <fcntl.h>
#include <mqueue.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "interruptible.h"
#include "queue-notices.h"

/* Kernel interface, from include/linux/mqueue.h: what comes over the socket, and what its last byte says. */
#define NOTICE_BYTES 32
enum { NOTICE_ARRIVED = 1, NOTICE_REMOVED = 2 };

struct registration {
  struct interruptible base;
  int queue; /* a descriptor of its own */
  int socket;
  dev_t device;
  ino_t inode;
  /* Under the lock. */
  bool is_registered;
  struct registration *next;
};

/* A descriptor that is closed when nobody of this process is registered with its queue any more. */
struct deferred {
  int queue;
  dev_t device;
  ino_t inode;
  struct deferred *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct registration *registrations;
static struct deferred *deferred;

static bool is_awaited(dev_t device, ino_t inode) {
  const struct registration *each = registrations;
  while (each != NULL && (each->device != device || each->inode != inode)) each = each->next;
  return each != NULL;
}

static void close_deferred(void) {
  for (struct deferred **link = &deferred; *link != NULL;) {
    struct deferred *each = *link;
    if (is_awaited(each->device, each->inode)) {
      link = &each->next;
      continue;
    }
    *link = each->next;
    close(each->queue);
    free(each);
  }
}

/* Under the lock. */
static void release(int queue) {
  struct stat found;
  struct deferred *later = NULL;
  if (fstat(queue, &found) == 0 && is_awaited(found.st_dev, found.st_ino)) later = malloc(sizeof *later);
  if (later == NULL) {
    close(queue);
    return;
  }
  *later = (struct deferred){.queue = queue, .device = found.st_dev, .inode = found.st_ino, .next = deferred};
  deferred = later;
}

void queue_release(int queue) {
  pthread_mutex_lock(&lock);
  release(queue);
  pthread_mutex_unlock(&lock);
}

static void end_registration(struct registration *ended) {
  if (!ended->is_registered) return;
  for (struct registration **link = &registrations; *link != NULL; link = &(*link)->next) {
    if (*link != ended) continue;
    *link = ended->next;
    break;
  }
  ended->is_registered = false;
}

/* Once the system has none of it any more: another one of this process may have been made since. */
static void finish(struct registration *ended, bool removes) {
  pthread_mutex_lock(&lock);
  if (removes && ended->is_registered) syscall(SYS_mq_notify, ended->queue, NULL);
  end_registration(ended);
  pthread_mutex_unlock(&lock);
}

static void dispose(struct interruptible *wanted) {
  struct registration *ended = (struct registration *)wanted;
  finish(ended, true);
  pthread_mutex_lock(&lock);
  release(ended->queue);
  close_deferred();
  pthread_mutex_unlock(&lock);
  close(ended->socket);
  free(ended);
}

static int64_t await_notice(struct interruptible *wanted) {
  struct registration *registration = (struct registration *)wanted;
  unsigned char notice[NOTICE_BYTES];
  ssize_t length = recv(registration->socket, notice, sizeof notice, MSG_NOSIGNAL | MSG_WAITALL);
  int failure = length < 0 ? errno : length < NOTICE_BYTES ? EIO : notice[NOTICE_BYTES - 1] == NOTICE_REMOVED ? ECANCELED : 0;
  if (failure == EINTR && !atomic_load(&wanted->interrupted)) return -EINTR;
  finish(registration, failure == EINTR);
  return failure == EINTR ? -ECANCELED : -failure;
}

/* As glibc does for SIGEV_THREAD, but that each has a socket: nothing stays when it ends. */
static int register_with(struct registration *registration) {
  static unsigned char cookie[NOTICE_BYTES];
  struct sigevent event;
  struct stat found;
  if (registration->queue < 0 || fstat(registration->queue, &found) != 0) return -errno;
  registration->socket = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (registration->socket < 0) return -errno;
  memset(&event, 0, sizeof event);
  event.sigev_notify = SIGEV_THREAD;
  event.sigev_signo = registration->socket;
  event.sigev_value.sival_ptr = cookie;
  pthread_mutex_lock(&lock);
  int failure = syscall(SYS_mq_notify, registration->queue, &event) == 0 ? 0 : -errno;
  if (failure == 0) {
    registration->device = found.st_dev;
    registration->inode = found.st_ino;
    registration->is_registered = true;
    registration->next = registrations;
    registrations = registration;
  }
  pthread_mutex_unlock(&lock);
  return failure;
}

int64_t posix_mq_notify(struct call *call) {
  int queue = call_descriptor(call, 0, "mqdes");
  if (call->stopped) return 0;
  struct registration *registration = calloc(1, sizeof *registration);
  if (registration == NULL) return -ENOMEM;
  registration->socket = -1;
  registration->queue = fcntl(queue, F_DUPFD_CLOEXEC, 0);
  registration->base.attempt = await_notice;
  registration->base.dispose = dispose;
  int failure = register_with(registration);
  if (failure == 0) return interruptible_start(call, "shmkit:mq_notify", &registration->base);
  if (registration->queue >= 0) queue_release(registration->queue);
  if (registration->socket >= 0) close(registration->socket);
  free(registration);
  return failure;
}
