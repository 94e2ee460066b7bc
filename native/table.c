#include "table.h"

#include <stdlib.h>
#include <string.h>

bool reserve(void **elements, size_t count, size_t *capacity, size_t element_bytes) {
  if (count < *capacity) return true;
  size_t wanted = *capacity == 0 ? 8 : *capacity * 2;
  void *grown = wanted > SIZE_MAX / element_bytes ? NULL : realloc(*elements, wanted * element_bytes);
  if (grown == NULL) return false;
  *elements = grown;
  *capacity = wanted;
  return true;
}

/* The index of the first entry whose number is not below `id`. */
static size_t index_of(const struct table *table, uint32_t id) {
  size_t low = 0;
  size_t high = table->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (table->entries[middle].id < id) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

void *table_find(const struct table *table, uint32_t id) {
  size_t index = index_of(table, id);
  return index < table->count && table->entries[index].id == id ? table->entries[index].value : NULL;
}

uint32_t table_add(struct table *table, void *value) {
  void *entries = table->entries;
  if (table->last_id == UINT32_MAX || !reserve(&entries, table->count, &table->capacity, sizeof(struct table_entry))) return 0;
  table->entries = entries;
  table->entries[table->count++] = (struct table_entry){.id = ++table->last_id, .value = value};
  return table->last_id;
}

void *table_remove(struct table *table, uint32_t id) {
  size_t index = index_of(table, id);
  if (index == table->count || table->entries[index].id != id) return NULL;
  void *value = table->entries[index].value;
  table->count--;
  memmove(table->entries + index, table->entries + index + 1, (table->count - index) * sizeof *table->entries);
  return value;
}

void *table_last(const struct table *table) {
  return table->count == 0 ? NULL : table->entries[table->count - 1].value;
}

void table_free(struct table *table) {
  free(table->entries);
  *table = (struct table){.last_id = table->last_id};
}
