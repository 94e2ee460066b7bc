#include "kept-bytes.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Taken for each call anew and never freed: the fault handler goes through them at any time. */
struct kept_bytes {
  struct kept_bytes *next;
  atomic_bool is_taken;
  /* NULL while there are none. Read at the wrong moment they are those of a call that has ended, on memory that is lost: no matter. */
  _Atomic(const uint8_t *) place;
  size_t length;
  uint8_t bytes[MOST_KEPT_BYTES];
};

static _Atomic(struct kept_bytes *) all;

static struct kept_bytes *take(void) {
  for (struct kept_bytes *kept = atomic_load(&all); kept != NULL; kept = kept->next) {
    if (!atomic_load(&kept->is_taken) && !atomic_exchange(&kept->is_taken, true)) return kept;
  }
  struct kept_bytes *kept = calloc(1, sizeof *kept);
  if (kept == NULL) return NULL;
  atomic_store(&kept->is_taken, true);
  kept->next = atomic_load(&all);
  while (!atomic_compare_exchange_weak(&all, &kept->next, kept)) continue;
  return kept;
}

struct kept_bytes *kept_bytes_begin(const void *place, size_t length) {
  struct kept_bytes *kept = take();
  if (kept == NULL) return NULL;
  memcpy(kept->bytes, place, length);
  kept->length = length;
  atomic_store(&kept->place, place);
  return kept;
}

void kept_bytes_end(struct kept_bytes *kept) {
  atomic_store(&kept->place, NULL);
  atomic_store(&kept->is_taken, false);
}

static bool is_in(const uint8_t *place, const uint8_t *base, size_t length) {
  return place >= base && place < base + length;
}

bool kept_bytes_are_in(const uint8_t *base, size_t length) {
  for (struct kept_bytes *kept = atomic_load(&all); kept != NULL; kept = kept->next) {
    if (is_in(atomic_load(&kept->place), base, length)) return true;
  }
  return false;
}

void kept_bytes_put(uint8_t *copy, const uint8_t *base, size_t length) {
  for (struct kept_bytes *kept = atomic_load(&all); kept != NULL; kept = kept->next) {
    const uint8_t *place = atomic_load(&kept->place);
    if (!is_in(place, base, length)) continue;
    size_t room = length - (size_t)(place - base);
    memcpy(copy + (place - base), kept->bytes, kept->length < room ? kept->length : room);
  }
}
