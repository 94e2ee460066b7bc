/* The C side of the benchmarks: one program, one word for each of its parts. */
#include "bench.h"

#include <string.h>

static const struct {
  const char *name;
  int (*run)(int count, char **arguments);
} PARTS[] = {
    {"pin", pin_main},
    {"spin", spin_main},
    {"futex", futex_main},
    {"ring", ring_main},
    {"queue", queue_main},
    {"bulk", bulk_main},
    {"mutex", mutex_main},
    {"handover", handover_main},
    {"pthread", pthread_main},
    {"system", system_main},
    {"attach", attach_main},
    {"same", same_main},
};

int main(int count, char **arguments) {
  for (size_t i = 0; count > 1 && i < sizeof PARTS / sizeof *PARTS; i++)
    if (strcmp(arguments[1], PARTS[i].name) == 0) return PARTS[i].run(count - 1, arguments + 1);
  fail("no such part");
}
