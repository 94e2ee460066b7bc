/* Locks of single bytes, far beyond the end of the file: the system gives them back however their process ends. */
#ifndef SHMKIT_WIN32_LOCKS_H
#define SHMKIT_WIN32_LOCKS_H

#include "platform.h"

struct file;

/* 0 when taken, -EAGAIN when another description has it. */
int take_handle_byte(HANDLE handle, int64_t offset);
void release_handle_byte(HANDLE handle, int64_t offset);
/* 1 when somebody has any byte of the range, this description included; 0 when nobody does. */
int handle_range_is_held(HANDLE handle, int64_t offset, int64_t length);
/* 1 when another description has any byte of the range. */
int range_is_held(const struct file *file, int64_t offset, int64_t length);

#endif
