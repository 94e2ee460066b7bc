#include "pin.h"

#include <sys/mman.h>
#include <unistd.h>

#include "exports.h"
#include "files.h"
#include "locks.h"
#include "mapping.h"

/* One page is all that a pin maps; the kernel rounds up. */
#define PIN_BYTES 1

void drop_pin(struct mapping *mapping) {
  void *page = atomic_exchange(&mapping->pin_page, NULL);
  if (page != NULL) munmap(page, PIN_BYTES);
}

/*
 * Maps a page of the description, so that its locks last until the page is unmapped: by `drop_pin` or by the end of the
 * process, whoever closes which descriptor. MADV_DONTFORK keeps it out of children. NULL with errno on failure.
 */
static void *map_pin(int description) {
  void *page = mmap(NULL, PIN_BYTES, PROT_NONE, MAP_SHARED, description, 0);
  if (page == MAP_FAILED) return NULL;
  if (madvise(page, PIN_BYTES, MADV_DONTFORK) == 0) return page;
  int failure = errno;
  munmap(page, PIN_BYTES);
  errno = failure;
  return NULL;
}

int64_t pin_byte(struct call *call) {
  struct mapping *mapping = call_mapping(call, 0);
  int descriptor = call_descriptor(call, 1, "fd");
  int64_t offset = call_integer(call, 2, "lockOffset", 0, MAX_SAFE_INTEGER);
  if (call->stopped) return 0;
  if (atomic_load(&mapping->pin_page) != NULL) return -EBUSY;
  /* A description of its own: locks of a shared one would go with any holder's unlock. */
  int description = reopen_descriptor(descriptor);
  if (description < 0) return description;
  int failure = take_byte(description, offset);
  void *page = failure == 0 ? map_pin(description) : NULL;
  if (failure == 0 && page == NULL) failure = -errno;
  close(description);
  if (failure != 0) return failure;
  mapping->pin_offset = offset;
  atomic_store(&mapping->pin_page, page);
  /* Whoever loses the region drops the pin after setting the flag; so either they see this page or this sees the flag. */
  if (!mapping_is_lost(mapping)) return 0;
  drop_pin(mapping);
  return -EIO;
}

int64_t unpin_byte(struct call *call) {
  struct mapping *mapping = call_mapping(call, 0);
  if (call->stopped) return 0;
  /* The armed word may be somebody else's as soon as the byte is free. */
  waiter_stop(mapping);
  drop_pin(mapping);
  return 0;
}
