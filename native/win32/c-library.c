/*
 * What the static part of a C library would bring: the addon is linked without one, which takes a second instead of minutes to
 * compile, and uses the library that is part of Windows.
 */
#include "environment.h"

#include <stdarg.h>
#include <stdio.h>

/* The end is written, and the whole length answered, as C wants it. */
#define AS_IN_C 2

int snprintf(char *target, size_t size, const char *format, ...) {
  va_list values;
  va_start(values, format);
  int length = __stdio_common_vsprintf(AS_IN_C, target, size, format, NULL, values);
  va_end(values);
  return length;
}

BOOL WINAPI _DllMainCRTStartup(HINSTANCE module, DWORD reason, void *reserved) {
  (void)module;
  /* Not when it is unloaded, but when its process ends. */
  if (reason == DLL_PROCESS_DETACH && reserved != NULL) environment_leave_at_exit();
  return TRUE;
}
