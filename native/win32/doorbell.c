#include "doorbell.h"

#include <errno.h>
#include <stdlib.h>

#include "../call.h"
#include "../table.h"
#include "exports.h"
#include "failures.h"
#include "mapping.h"

#define LONGEST_PARK_MS 1000.0

HANDLE open_bell(const struct mapping *mapping, size_t offset, int sleeper) {
  WCHAR name[OBJECT_NAME_UNITS];
  event_name(name, &mapping->region, offset, sleeper);
  return CreateEventW(NULL, FALSE, FALSE, name);
}

/* The same from those that the mapping has already; it stays the mapping's. */
static HANDLE find_bell(struct mapping *mapping, size_t offset, int sleeper) {
  for (size_t i = 0; i < mapping->bell_count; i++) {
    const struct bell *bell = &mapping->bells[i];
    if (bell->offset == offset && bell->sleeper == sleeper) return bell->event;
  }
  void *bells = mapping->bells;
  if (!reserve(&bells, mapping->bell_count, &mapping->bell_capacity, sizeof(struct bell))) {
    SetLastError(ERROR_NOT_ENOUGH_MEMORY);
    return NULL;
  }
  mapping->bells = bells;
  HANDLE event = open_bell(mapping, offset, sleeper);
  if (event != NULL) mapping->bells[mapping->bell_count++] = (struct bell){.offset = offset, .sleeper = sleeper, .event = event};
  return event;
}

static bool can_ring(struct call *call, const struct mapping *mapping) {
  if (!call->stopped && !mapping->writable) call_refuse(call, -EROFS);
  return !call->stopped;
}

int64_t wake_word(struct call *call) {
  struct mapping *mapping = call_mapping(call, 0);
  size_t offset = call_word(call, 1, "offsetBytes", mapping);
  uint32_t mask = call_bits(call, 2, "mask");
  if (mask == 0) call_range_error(call, "mask", "a number other than 0");
  if (!can_ring(call, mapping)) return 0;
  int woken = 0;
  for (int sleeper = SLEEPER_EVENT_LOOP; sleeper <= SLEEPER_SYNC; sleeper++) {
    if ((mask & (uint32_t)sleeper) == 0) continue;
    HANDLE event = find_bell(mapping, offset, sleeper);
    if (event == NULL || !SetEvent(event)) return last_failure();
    woken++;
  }
  return woken;
}

static DWORD whole_milliseconds(double milliseconds) {
  DWORD whole = (DWORD)milliseconds;
  return whole < milliseconds ? whole + 1 : whole;
}

int64_t park_on_word(struct call *call) {
  struct mapping *mapping = call_mapping(call, 0);
  size_t offset = call_word(call, 1, "offsetBytes", mapping);
  uint32_t expected = call_bits(call, 2, "expected");
  double milliseconds = call_number(call, 3, "timeoutMs", 0);
  if (!can_ring(call, mapping)) return 0;
  HANDLE event = find_bell(mapping, offset, SLEEPER_SYNC);
  if (event == NULL) return last_failure();
  const volatile LONG *word = mapping_word(mapping, offset);
  DWORD left = whole_milliseconds(milliseconds < LONGEST_PARK_MS ? milliseconds : LONGEST_PARK_MS);
  ULONGLONG end = GetTickCount64() + left;
  if ((uint32_t)*word != expected) return -EAGAIN;
  /* It may be set for what was seen already. */
  for (;;) {
    DWORD waited = WaitForSingleObject(event, left);
    if (waited != WAIT_OBJECT_0) return waited == WAIT_TIMEOUT ? -ETIMEDOUT : last_failure();
    if ((uint32_t)*word != expected) return 0;
    ULONGLONG now = GetTickCount64();
    if (now >= end) return -ETIMEDOUT;
    left = (DWORD)(end - now);
  }
}
