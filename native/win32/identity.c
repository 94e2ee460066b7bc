/* Who the caller is, for people who read the member table (nothing decides by it), and numbers that nobody else draws. */
#include <errno.h>

#include "../call.h"
#include "c-library.h"
#include "exports.h"

/* What a FILETIME counts, and from when: 1601. */
#define TICKS_PER_MS 10000
#define MS_UNTIL_1970 INT64_C(11644473600000)

int64_t effective_uid(struct call *call) {
  (void)call;
  return 0;
}

int64_t thread_id(struct call *call) {
  (void)call;
  return GetCurrentThreadId();
}

int64_t start_time(struct call *call) {
  FILETIME created;
  FILETIME ignored;
  (void)call;
  if (!GetProcessTimes(GetCurrentProcess(), &created, &ignored, &ignored, &ignored)) return 0;
  const int64_t ticks = (int64_t)((uint64_t)created.dwHighDateTime << 32 | created.dwLowDateTime);
  return ticks / TICKS_PER_MS - MS_UNTIL_1970;
}

int64_t random_word(struct call *call) {
  (void)call;
  unsigned int word = 0;
  return rand_s(&word) == 0 ? (int64_t)word : -EIO;
}
