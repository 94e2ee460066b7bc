/* Who sent a signal: the kernel, for a terminal, or a process. Node says that a signal came, and no more. */
#include "exports.h"

#include <signal.h>
#include <stdatomic.h>

#define SIGNALS 32

/* What handles a signal, and how many processes have sent that were not asked for yet. */
static struct sigaction handled[SIGNALS];
static atomic_int sent[SIGNALS];

static void on_signal(int signal, siginfo_t *info, void *context) {
  /* Of kill(2) and the like 0 or less, see sigaction(2); counted before whoever asks is told that there was one. */
  if (info->si_code <= 0) atomic_fetch_add(&sent[signal], 1);
  const struct sigaction *next = &handled[signal];
  if ((next->sa_flags & SA_SIGINFO) != 0) {
    next->sa_sigaction(signal, info, context);
  } else {
    next->sa_handler(signal);
  }
}

int64_t sent_signals(struct call *call) {
  int signal = (int)call_integer(call, 0, "signal", 1, SIGNALS - 1);
  if (call->stopped) return 0;
  struct sigaction now;
  if (sigaction(signal, NULL, &now) != 0) return -errno;
  if ((now.sa_flags & SA_SIGINFO) == 0 && (now.sa_handler == SIG_DFL || now.sa_handler == SIG_IGN)) return -EINVAL;
  if ((now.sa_flags & SA_SIGINFO) == 0 || now.sa_sigaction != on_signal) {
    /* Before the handler that reads it is there; one of ours that is replaced meanwhile calls the same. */
    handled[signal] = now;
    struct sigaction ours = now;
    ours.sa_sigaction = on_signal;
    ours.sa_flags |= SA_SIGINFO;
    if (sigaction(signal, &ours, NULL) != 0) return -errno;
  }
  return atomic_exchange(&sent[signal], 0);
}
