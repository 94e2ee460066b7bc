/* What other files of the addon ask of descriptors and paths. Answers are -errno on failure. */
#ifndef SHMKIT_FILES_H
#define SHMKIT_FILES_H

#include "platform.h"

#define DESCRIPTOR_PATH_BYTES 32

/* The path that opens the inode behind a descriptor anew, also after unlink. */
void descriptor_path(int descriptor, char path[DESCRIPTOR_PATH_BYTES]);
/* 1 when `path` (not followed) is the inode of `descriptor`, 0 when it is another one or missing. */
int path_is_descriptor(const char *path, int descriptor);
/* A new read-write open file description of the same regular file. */
int reopen_descriptor(int descriptor);

#endif
