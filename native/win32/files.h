/*
 * The file of a region's name, as one environment has it open. It holds no memory: 40 bytes that say which section does. A
 * descriptor is the number of one of these.
 */
#ifndef SHMKIT_WIN32_FILES_H
#define SHMKIT_WIN32_FILES_H

#include "platform.h"

#include "region-names.h"

struct call;
struct environment;
struct mapping;

struct file {
  uint32_t id;
  HANDLE handle;
  /* The region's memory; NULL of a new file, whose first mapping makes it, and of what is no region. */
  HANDLE section;
  /* Has no name that anybody knows: it goes when it is closed. */
  bool is_new;
  struct region_id region;
  uint64_t length;
  /* The largest writable mapping made of it, through which its memory is committed, or NULL. */
  struct mapping *mapping;
  /* Bytes that this description has locked: locks of Windows exclude whoever has them, too. */
  int64_t *held;
  size_t held_count;
  size_t held_capacity;
};

/* A descriptor of this environment; stops with -EBADF for any other. */
struct file *call_file(struct call *call, size_t index);
/* Another description of the same file, with locks of its own; INVALID_HANDLE_VALUE with GetLastError on failure. */
HANDLE reopen_handle(HANDLE handle);
/* Gives a new file its memory. 0 or -errno. */
int file_make_section(struct file *file, uint64_t length);
void file_close(struct environment *environment, struct file *file);
/* 1 when `path` (not followed) is the file of `handle`, 0 when it is another one or missing, or -errno. */
int path_is_handle(const WCHAR *path, HANDLE handle);
/* Takes the name away at once, whoever has the file open. 0 or -errno. */
int remove_path(const WCHAR *path);

/* The longest path that a file of a region's can have. */
#define MAX_PATH_UNITS 512
/* A name beside that of an open file: false when the path is too long. */
bool sibling_path(HANDLE handle, const WCHAR *name, WCHAR path[MAX_PATH_UNITS]);

#endif
