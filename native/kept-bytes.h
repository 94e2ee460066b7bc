/*
 * Bytes that a call of the C library's relies on from its beginning to its end, such as the links in a mutex, which it follows. When their
 * page is lost meanwhile, they are put on the one in its place as they were before the call: no state that it could not have found.
 */
#ifndef SHMKIT_KEPT_BYTES_H
#define SHMKIT_KEPT_BYTES_H

#include "platform.h"

#define MOST_KEPT_BYTES 64

struct kept_bytes;

/* Until `kept_bytes_end`; NULL when out of memory. Whoever finds the memory lost afterwards does not make the call. */
struct kept_bytes *kept_bytes_begin(const void *place, size_t length);
void kept_bytes_end(struct kept_bytes *kept);

/* Whether some lie inside a range that begins at `base`. Async-signal-safe. */
bool kept_bytes_are_in(const uint8_t *base, size_t length);
/* Writes those into `copy`, which takes the place of the range. Async-signal-safe. */
void kept_bytes_put(uint8_t *copy, const uint8_t *base, size_t length);

#endif
