/* What JavaScript knows by a small number, which is never used again: numbers only grow, so that the table is sorted. */
#ifndef SHMKIT_TABLE_H
#define SHMKIT_TABLE_H

#include "portable.h"

struct table_entry {
  uint32_t id;
  void *value;
};

struct table {
  uint32_t last_id;
  struct table_entry *entries;
  size_t count;
  size_t capacity;
};

/* Makes room for one more element of an array; answers false and changes nothing when out of memory. */
bool reserve(void **elements, size_t count, size_t *capacity, size_t element_bytes);

/* NULL for a number that is not in it (any more). */
void *table_find(const struct table *table, uint32_t id);
/* The new number, or 0 when out of memory or numbers. */
uint32_t table_add(struct table *table, void *value);
/* Takes it out and answers it, or NULL. */
void *table_remove(struct table *table, uint32_t id);
/* What was added last and is still there, or NULL. */
void *table_last(const struct table *table);
/* Empties it; what the values are is the caller's business. */
void table_free(struct table *table);

#endif
