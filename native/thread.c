#include "thread.h"

#include <pthread.h>
#include <signal.h>

/* Address space, not memory. Room for a signal frame with every vector register, and for the runtime's queueing. */
#define STACK_BYTES (256 * 1024)

/* The runtime's signal handlers expect its own threads; but a fault must reach the guard. */
static void block_signals(sigset_t *before) {
  static const int faults[] = {SIGBUS, SIGSEGV, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS};
  sigset_t blocked;
  sigfillset(&blocked);
  for (size_t i = 0; i < COUNT_OF(faults); i++) sigdelset(&blocked, faults[i]);
  pthread_sigmask(SIG_SETMASK, &blocked, before);
}

int thread_start(void *(*run)(void *), void *argument) {
  pthread_t thread;
  pthread_attr_t attributes;
  sigset_t before;
  int failure = pthread_attr_init(&attributes);
  if (failure != 0) return -failure;
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  block_signals(&before);
  failure = pthread_create(&thread, &attributes, run, argument);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return -failure;
}
