/* Every function that addon.c exports; src/native/win32-contract.ts says what each does. */
#ifndef SHMKIT_WIN32_EXPORTS_H
#define SHMKIT_WIN32_EXPORTS_H

#include "platform.h"

#include "../call.h"

/* objects.c */
int64_t create_file(struct call *call);
int64_t create_file_mapping(struct call *call);
int64_t open_file_mapping(struct call *call);
int64_t create_mutex(struct call *call);
int64_t open_mutex(struct call *call);
int64_t release_mutex(struct call *call);
int64_t create_event(struct call *call);
int64_t open_event(struct call *call);
int64_t set_event(struct call *call);
int64_t reset_event(struct call *call);
int64_t create_semaphore(struct call *call);
int64_t open_semaphore(struct call *call);
int64_t release_semaphore(struct call *call);
int64_t close_handle(struct call *call);
int64_t error_text(struct call *call);

/* waits.c */
int64_t wait_for_single_object(struct call *call);
int64_t wait_for_single_object_async(struct call *call);

/* views.c */
int64_t map_view_of_file(struct call *call);
int64_t unmap_view_of_file(struct call *call);
int64_t flush_view_of_file(struct call *call);
int64_t flush_view_of_file_async(struct call *call);

/* pending.c */
int64_t cancel_pending(struct call *call);

#endif
