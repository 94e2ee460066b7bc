/* Open-file-description write locks on byte ranges. Answers are -errno on failure. */
#ifndef SHMKIT_LOCKS_H
#define SHMKIT_LOCKS_H

#include "platform.h"

/* 0 when taken, -EAGAIN when another description holds it. */
int take_byte(int descriptor, int64_t offset);
int release_byte(int descriptor, int64_t offset);
/* 1 when another description holds any byte of the range, 0 when none does. */
int range_is_held(int descriptor, int64_t offset, int64_t length);

#endif
