/*
 * What processes find each other by. A region's file holds no memory: it says which section of the paging file does, by a random
 * number that all names of the region's are made of.
 */
#ifndef SHMKIT_WIN32_REGION_NAMES_H
#define SHMKIT_WIN32_REGION_NAMES_H

#include "platform.h"

struct region_id {
  uint32_t words[4];
};

#define ID_DIGITS 32
/* "Local\shmkit-", the number, "-", two more numbers, and the end. */
#define OBJECT_NAME_UNITS (13 + ID_DIGITS + 1 + 16 + 1 + 1 + 1)

/* A number that nobody else has; false when the system has none to give. */
bool region_id_draw(struct region_id *id);
bool region_id_equal(const struct region_id *one, const struct region_id *other);
/* The number in hexadecimal; answers where it ends. */
WCHAR *write_id(WCHAR *target, const struct region_id *id);
WCHAR *write_text(WCHAR *target, const WCHAR *text);
WCHAR *write_number(WCHAR *target, uint64_t number);

void section_name(WCHAR target[OBJECT_NAME_UNITS], const struct region_id *id);
/* The event that who sleeps on a word is woken by. */
void event_name(WCHAR target[OBJECT_NAME_UNITS], const struct region_id *id, uint64_t offset, int sleeper);

#endif
