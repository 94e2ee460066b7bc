#include "placed.h"

#include <stdlib.h>

#include "call.h"
#include "environment.h"
#include "mapping.h"

void placed_hold(struct placed *placed) {
  atomic_fetch_add(&placed->holders, 1);
}

void placed_release(struct placed *placed) {
  if (atomic_fetch_sub(&placed->holders, 1) != 1) return;
  mapping_release(placed->mapping);
  free(placed);
}

void placed_close(struct environment *environment, struct placed *placed) {
  table_remove(&environment->placed, placed->id);
  placed_release(placed);
}

void *call_place(struct call *call, size_t size, size_t alignment, struct mapping **mapping) {
  *mapping = call_mapping(call, 0);
  int64_t offset = call_integer(call, 1, "offset", 0, MAX_SAFE_INTEGER);
  if (call->stopped) return NULL;
  if ((size_t)offset % alignment != 0 || !mapping_contains(*mapping, (uint64_t)offset, size)) call_refuse(call, -EINVAL);
  else if (mapping_is_lost(*mapping)) call_refuse(call, -EIO);
  return call->stopped ? NULL : (*mapping)->base + offset;
}

int64_t placed_offer(struct call *call, enum placed_kind kind, void *object, struct mapping *mapping) {
  struct placed *placed = malloc(sizeof *placed);
  if (placed == NULL) {
    mapping_release(mapping);
    return -ENOMEM;
  }
  *placed = (struct placed){.kind = kind, .object = object, .mapping = mapping};
  atomic_store(&placed->holders, 1);
  placed->id = table_add(&call->environment->placed, placed);
  if (placed->id != 0) return placed->id;
  placed_release(placed);
  return -ENOMEM;
}

static struct placed *find(struct call *call, size_t index, const char *name, enum placed_kind kind) {
  uint32_t id = (uint32_t)call_integer(call, index, name, 1, UINT32_MAX);
  if (call->stopped) return NULL;
  struct placed *placed = table_find(&call->environment->placed, id);
  if (placed != NULL && placed->kind == kind) return placed;
  call_refuse(call, -EINVAL);
  return NULL;
}

struct placed *call_placed(struct call *call, size_t index, const char *name, enum placed_kind kind) {
  struct placed *placed = find(call, index, name, kind);
  if (call->stopped) return NULL;
  const struct mapping *mapping = placed->mapping;
  /* In memory that was unmapped it is one that nobody else has. */
  if (mapping->id != 0 && environment_mapping(call->environment, mapping->id) == NULL) call_refuse(call, -EINVAL);
  else if (mapping_is_lost(placed->mapping)) call_refuse(call, -EIO);
  return call->stopped ? NULL : placed;
}

int64_t call_placed_close(struct call *call, const char *name, enum placed_kind kind) {
  struct placed *placed = find(call, 0, name, kind);
  if (call->stopped) return 0;
  placed_close(call->environment, placed);
  return 0;
}
