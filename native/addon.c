/* Registration: one call per environment (main thread and every worker), nothing else happens at load. */
#include "platform.h"

#include "environment.h"
#include "exports.h"
#include "mapping.h"

static const struct export EXPORTS[] = {
    {"openTemporary", open_temporary, NULL},
    {"createExclusive", create_exclusive, NULL},
    {"openExisting", open_existing, NULL},
    {"reopen", reopen, NULL},
    {"linkDescriptor", link_descriptor, NULL},
    {"linkPath", link_path, NULL},
    {"unlink", unlink_path, NULL},
    {"sameFile", same_file, NULL},
    {"stat", stat_descriptor, "fstat"},
    {"close", close_descriptor, NULL},
    {"closeUsers", close_users_descriptor, "close"},
    {"closeAsync", close_async, NULL},
    {"truncate", truncate_file, "ftruncate"},
    {"allocate", allocate_range, NULL},
    {"allocateAsync", allocate_async, NULL},
    {"punch", punch_range, NULL},
    {"effectiveUid", effective_uid, NULL},
    {"startTime", start_time, NULL},
    {"threadId", thread_id, NULL},
    {"randomWord", random_word, NULL},
    {"sentSignals", sent_signals, NULL},
    {"lock", lock_byte, NULL},
    {"unlock", unlock_byte, NULL},
    {"probe", probe_bytes, NULL},
    {"map", map_file, NULL},
    {"closeMapping", close_mapping, NULL},
    {"isLocked", is_mapping_locked, NULL},
    {"pin", pin_byte, NULL},
    {"unpin", unpin_byte, NULL},
    {"setExitPlan", set_exit_plan, NULL},
    {"wake", wake_word, NULL},
    {"park", park_on_word, NULL},
    {"startWaiter", start_waiter, NULL},
    {"refWaiter", ref_waiter, NULL},
    {"unrefWaiter", unref_waiter, NULL},
    {"watchDeaths", watch_deaths, NULL},
    {"constants", system_constants, NULL},
    {"errorText", error_text, NULL},
    {"interrupt", interrupt_call, NULL},
    {"join", join_call, NULL},
    {"shm_open", posix_shm_open, NULL},
    {"shm_unlink", posix_shm_unlink, NULL},
    {"memfd_create", posix_memfd_create, NULL},
    {"fcntl", posix_fcntl, NULL},
    {"posix_fallocate", posix_fallocate_now, NULL},
    {"posix_fallocate_async", posix_fallocate_async, "posix_fallocate"},
    {"mmap", raw_map, NULL},
    {"mprotect", raw_protect, NULL},
    {"mlock", raw_lock, NULL},
    {"munlock", raw_unlock, NULL},
    {"madvise", raw_advise, NULL},
    {"msync", raw_synchronize, NULL},
    {"msync_async", raw_synchronize_async, "msync"},
    {"sem_open", posix_sem_open, NULL},
    {"sem_unlink", posix_sem_unlink, NULL},
    {"sem_init", posix_sem_init, NULL},
    {"sem_at", posix_sem_at, NULL},
    {"sem_close", posix_sem_close, NULL},
    {"sem_trywait", posix_sem_trywait, NULL},
    {"sem_post", posix_sem_post, NULL},
    {"sem_getvalue", posix_sem_getvalue, NULL},
    {"sem_park", posix_sem_park, "sem_wait"},
    {"sem_wait", posix_sem_wait, NULL},
    {"mutex_init", posix_mutex_init, "pthread_mutex_init"},
    {"mutex_at", posix_mutex_at, "pthread_mutex_at"},
    {"mutex_destroy", posix_mutex_destroy, "pthread_mutex_destroy"},
    {"mutex_trylock", posix_mutex_trylock, "pthread_mutex_trylock"},
    {"mutex_lock", posix_mutex_lock, "pthread_mutex_lock"},
    {"mutex_unlock", posix_mutex_unlock, "pthread_mutex_unlock"},
    {"mutex_consistent", posix_mutex_consistent, "pthread_mutex_consistent"},
    {"mutex_depth", posix_mutex_depth, NULL},
    {"cond_init", posix_cond_init, "pthread_cond_init"},
    {"cond_at", posix_cond_at, "pthread_cond_at"},
    {"cond_close", posix_cond_close, "pthread_cond_destroy"},
    {"cond_nap", posix_cond_nap, NULL},
    {"cond_signal", posix_cond_signal, NULL},
    {"mq_open", posix_mq_open, NULL},
    {"mq_unlink", posix_mq_unlink, NULL},
    {"mq_getattr", posix_mq_getattr, NULL},
    {"mq_setattr", posix_mq_setattr, NULL},
    {"mq_send", posix_mq_send, NULL},
    {"mq_receive", posix_mq_receive, NULL},
    {"mq_send_async", posix_mq_send_async, "mq_send"},
    {"mq_receive_async", posix_mq_receive_async, "mq_receive"},
    {"mq_notify", posix_mq_notify, NULL},
    {"ftok", sysv_ftok, NULL},
    {"shmget", sysv_shmget, NULL},
    {"shmat", sysv_shmat, NULL},
    {"shm_stat", sysv_shm_stat, "shmctl"},
    {"shm_set", sysv_shm_set, "shmctl"},
    {"shm_command", sysv_shm_command, "shmctl"},
    {"semget", sysv_semget, NULL},
    {"semop", sysv_semop, NULL},
    {"semop_park", sysv_semop_park, "semop"},
    {"semop_async", sysv_semop_async, "semop"},
    {"sem_stat", sysv_sem_stat, "semctl"},
    {"sem_set", sysv_sem_set, "semctl"},
    {"sem_command", sysv_sem_command, "semctl"},
    {"sem_values", sysv_sem_values, "semctl"},
    {"msgget", sysv_msgget, NULL},
    {"msgsnd", sysv_msgsnd, NULL},
    {"msgsnd_async", sysv_msgsnd_async, "msgsnd"},
    {"msgrcv", sysv_msgrcv, NULL},
    {"msgrcv_async", sysv_msgrcv_async, "msgrcv"},
    {"msg_stat", sysv_msg_stat, "msgctl"},
    {"msg_set", sysv_msg_set, "msgctl"},
    {"msg_remove", sysv_msg_remove, "msgctl"},
};

static bool set_property(napi_env env, napi_value exports, const char *name, napi_value value) {
  return napi_set_named_property(env, exports, name, value) == napi_ok;
}

static bool define_exports(napi_env env, napi_value exports) {
  napi_value value;
  if (napi_create_uint32(env, SHMKIT_NATIVE_ABI, &value) != napi_ok || !set_property(env, exports, "abi", value)) {
    return false;
  }
  if (napi_get_boolean(env, mapping_can_share(), &value) != napi_ok ||
      !set_property(env, exports, "hasExternalSharedArrayBuffer", value)) {
    return false;
  }
  for (size_t i = 0; i < COUNT_OF(EXPORTS); i++) {
    const struct export *export = &EXPORTS[i];
    if (napi_create_function(env, export->name, NAPI_AUTO_LENGTH, call_dispatch, (void *)export, &value) != napi_ok ||
        !set_property(env, exports, export->name, value)) {
      return false;
    }
  }
  return true;
}

NAPI_MODULE_INIT() {
  if (environment_begin(env) && define_exports(env, exports)) return exports;
  napi_throw_error(env, "ERR_ADDON_LOAD", "shmkit's addon could not set itself up: out of memory, or the environment is ending");
  return NULL;
}
