/* Every function that addon.c exports; src/native/contract.ts says what each does. */
#ifndef SHMKIT_EXPORTS_H
#define SHMKIT_EXPORTS_H

#include "call.h"

/* files.c */
int64_t open_temporary(struct call *call);
int64_t create_exclusive(struct call *call);
int64_t open_existing(struct call *call);
int64_t reopen(struct call *call);
int64_t link_descriptor(struct call *call);
int64_t link_path(struct call *call);
int64_t unlink_path(struct call *call);
int64_t same_file(struct call *call);
int64_t stat_descriptor(struct call *call);
int64_t close_descriptor(struct call *call);

/* backing.c */
int64_t truncate_file(struct call *call);
int64_t allocate_range(struct call *call);
int64_t allocate_async(struct call *call);
int64_t close_async(struct call *call);
int64_t punch_range(struct call *call);

/* identity.c */
int64_t effective_uid(struct call *call);
int64_t start_time(struct call *call);
int64_t thread_id(struct call *call);

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
