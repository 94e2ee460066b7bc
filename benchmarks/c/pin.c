/*
 * pin CORES COMMAND...: becomes the command, bound to the cores ("0", "0,1", or "any"), and killed when the process that
 * started it ends: a benchmark that was killed leaves nobody spinning behind.
 */
#include "bench.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

int pin_main(int count, char **arguments) {
  if (count < 3) fail("usage: pin CORES COMMAND...");
  if (strcmp(arguments[1], "any") != 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (char *at = arguments[1]; *at != '\0'; at += *at == ',') CPU_SET((unsigned)strtoul(at, &at, 10), &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) fail("sched_setaffinity to %s: %s", arguments[1], strerror(errno));
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() == 1) fail("the benchmark has ended");
  execvp(arguments[2], arguments + 2);
  fail("%s: %s", arguments[2], strerror(errno));
}
