/* Every function that addon.c exports; src/native/win32-contract.ts and, of regions, contract.ts say what each does. */
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

/* files.c */
int64_t open_temporary(struct call *call);
int64_t open_existing(struct call *call);
int64_t link_descriptor(struct call *call);
int64_t unlink_path(struct call *call);
int64_t same_file(struct call *call);
int64_t stat_descriptor(struct call *call);
int64_t close_descriptor(struct call *call);

/* backing.c */
int64_t allocate_range(struct call *call);
int64_t allocate_async(struct call *call);
int64_t close_async(struct call *call);
int64_t punch_range(struct call *call);

/* identity.c */
int64_t effective_uid(struct call *call);
int64_t start_time(struct call *call);
int64_t thread_id(struct call *call);
int64_t random_word(struct call *call);

/* locks.c */
int64_t lock_byte(struct call *call);
int64_t unlock_byte(struct call *call);
int64_t probe_bytes(struct call *call);

/* mapping.c */
int64_t map_file(struct call *call);
int64_t close_mapping(struct call *call);

/* pin.c */
int64_t pin_byte(struct call *call);
int64_t unpin_byte(struct call *call);

/* exit-plan.c */
int64_t set_exit_plan(struct call *call);

/* doorbell.c */
int64_t wake_word(struct call *call);
int64_t park_on_word(struct call *call);

/* waiter.c */
int64_t start_waiter(struct call *call);
int64_t ref_waiter(struct call *call);
int64_t unref_waiter(struct call *call);

/* death.c */
int64_t watch_deaths(struct call *call);

#endif
