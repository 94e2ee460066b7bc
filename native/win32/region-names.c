#include "region-names.h"

#include <string.h>

#include "c-library.h"

bool region_id_draw(struct region_id *id) {
  for (size_t i = 0; i < COUNT_OF(id->words); i++) {
    unsigned int word = 0;
    if (rand_s(&word) != 0) return false;
    id->words[i] = word;
  }
  return true;
}

bool region_id_equal(const struct region_id *one, const struct region_id *other) {
  for (size_t i = 0; i < COUNT_OF(one->words); i++) {
    if (one->words[i] != other->words[i]) return false;
  }
  return true;
}

static WCHAR *write_digits(WCHAR *target, uint64_t number, int digits) {
  for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) *target++ = L"0123456789abcdef"[number >> shift & 15];
  *target = L'\0';
  return target;
}

WCHAR *write_number(WCHAR *target, uint64_t number) {
  int digits = 1;
  while (digits < 16 && number >> (digits * 4) != 0) digits++;
  return write_digits(target, number, digits);
}

WCHAR *write_id(WCHAR *target, const struct region_id *id) {
  for (size_t i = 0; i < COUNT_OF(id->words); i++) target = write_digits(target, id->words[i], 8);
  return target;
}

WCHAR *write_text(WCHAR *target, const WCHAR *text) {
  while (*text != L'\0') *target++ = *text++;
  *target = L'\0';
  return target;
}

void section_name(WCHAR target[OBJECT_NAME_UNITS], const struct region_id *id) {
  write_id(write_text(target, L"Local\\shmkit-"), id);
}

void event_name(WCHAR target[OBJECT_NAME_UNITS], const struct region_id *id, uint64_t offset, int sleeper) {
  WCHAR *end = write_text(write_id(write_text(target, L"Local\\shmkit-"), id), L"-");
  write_number(write_text(write_number(end, offset), L"-"), (uint64_t)sleeper);
}
