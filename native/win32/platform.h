/* What every file of the addon for Windows starts with. */
#ifndef SHMKIT_WIN32_PLATFORM_H
#define SHMKIT_WIN32_PLATFORM_H

#ifndef _WIN32
#error "These files are written for Windows; those for Linux are in the folder above."
#endif

/* Windows 10, which Node 20 needs; before any header of the system. */
#undef _WIN32_WINNT
#define _WIN32_WINNT 0x0A00

#include "../portable.h"

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#endif
