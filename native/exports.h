/* Every function that addon.c exports; src/native/contract.ts says what each does. */
#ifndef SHMKIT_EXPORTS_H
#define SHMKIT_EXPORTS_H

#include "platform.h"

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
int64_t close_users_descriptor(struct call *call);

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
int64_t random_word(struct call *call);

/* signals.c */
int64_t sent_signals(struct call *call);

/* locks.c */
int64_t lock_byte(struct call *call);
int64_t unlock_byte(struct call *call);
int64_t probe_bytes(struct call *call);

/* mapping.c */
int64_t map_file(struct call *call);
int64_t close_mapping(struct call *call);
int64_t is_mapping_locked(struct call *call);

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

/* constants.c */
int64_t system_constants(struct call *call);
int64_t error_text(struct call *call);

/* interruptible.c */
int64_t interrupt_call(struct call *call);
int64_t join_call(struct call *call);

/* named-memory.c */
int64_t posix_shm_open(struct call *call);
int64_t posix_shm_unlink(struct call *call);
int64_t posix_memfd_create(struct call *call);
int64_t posix_fcntl(struct call *call);

/* preallocation.c */
int64_t posix_fallocate_now(struct call *call);
int64_t posix_fallocate_async(struct call *call);

/* raw-memory.c */
int64_t raw_map(struct call *call);
int64_t raw_protect(struct call *call);
int64_t raw_lock(struct call *call);
int64_t raw_unlock(struct call *call);
int64_t raw_advise(struct call *call);
int64_t raw_synchronize(struct call *call);
int64_t raw_synchronize_async(struct call *call);

/* semaphores.c */
int64_t posix_sem_open(struct call *call);
int64_t posix_sem_unlink(struct call *call);
int64_t posix_sem_init(struct call *call);
int64_t posix_sem_at(struct call *call);
int64_t posix_sem_close(struct call *call);
int64_t posix_sem_trywait(struct call *call);
int64_t posix_sem_post(struct call *call);
int64_t posix_sem_getvalue(struct call *call);
int64_t posix_sem_park(struct call *call);
int64_t posix_sem_wait(struct call *call);

/* mutexes.c */
int64_t posix_mutex_init(struct call *call);
int64_t posix_mutex_at(struct call *call);
int64_t posix_mutex_destroy(struct call *call);
int64_t posix_mutex_trylock(struct call *call);
int64_t posix_mutex_lock(struct call *call);
int64_t posix_mutex_unlock(struct call *call);
int64_t posix_mutex_consistent(struct call *call);
int64_t posix_mutex_depth(struct call *call);

/* conditions.c */
int64_t posix_cond_init(struct call *call);
int64_t posix_cond_at(struct call *call);
int64_t posix_cond_close(struct call *call);
int64_t posix_cond_nap(struct call *call);
int64_t posix_cond_signal(struct call *call);

/* message-queues.c */
int64_t posix_mq_open(struct call *call);
int64_t posix_mq_unlink(struct call *call);
int64_t posix_mq_getattr(struct call *call);
int64_t posix_mq_setattr(struct call *call);
int64_t posix_mq_send(struct call *call);
int64_t posix_mq_receive(struct call *call);
int64_t posix_mq_send_async(struct call *call);
int64_t posix_mq_receive_async(struct call *call);

/* queue-notices.c */
int64_t posix_mq_notify(struct call *call);

/* sysv.c */
int64_t sysv_ftok(struct call *call);

/* sysv-shm.c */
int64_t sysv_shmget(struct call *call);
int64_t sysv_shmat(struct call *call);
int64_t sysv_shm_stat(struct call *call);
int64_t sysv_shm_set(struct call *call);
int64_t sysv_shm_command(struct call *call);

/* sysv-sem.c */
int64_t sysv_semget(struct call *call);
int64_t sysv_semop(struct call *call);
int64_t sysv_semop_park(struct call *call);
int64_t sysv_semop_async(struct call *call);
int64_t sysv_sem_stat(struct call *call);
int64_t sysv_sem_set(struct call *call);
int64_t sysv_sem_command(struct call *call);
int64_t sysv_sem_values(struct call *call);

/* sysv-msg.c */
int64_t sysv_msgget(struct call *call);
int64_t sysv_msgsnd(struct call *call);
int64_t sysv_msgsnd_async(struct call *call);
int64_t sysv_msgrcv(struct call *call);
int64_t sysv_msgrcv_async(struct call *call);
int64_t sysv_msg_stat(struct call *call);
int64_t sysv_msg_set(struct call *call);
int64_t sysv_msg_remove(struct call *call);

#endif
