/* Registration: one call per environment (main thread and every worker), nothing else happens at load. */
#include "platform.h"

#include "environment.h"
#include "exports.h"
#include "mapping.h"

/* NATIVE_ABI in src/native/contract.ts. */
#define SHMKIT_NATIVE_ABI 8

static const struct export EXPORTS[] = {
    {"openTemporary", open_temporary},
    {"createExclusive", create_exclusive},
    {"openExisting", open_existing},
    {"reopen", reopen},
    {"linkDescriptor", link_descriptor},
    {"linkPath", link_path},
    {"unlink", unlink_path},
    {"sameFile", same_file},
    {"stat", stat_descriptor},
    {"close", close_descriptor},
    {"closeUsers", close_users_descriptor},
    {"closeAsync", close_async},
    {"truncate", truncate_file},
    {"allocate", allocate_range},
    {"allocateAsync", allocate_async},
    {"punch", punch_range},
    {"effectiveUid", effective_uid},
    {"startTime", start_time},
    {"threadId", thread_id},
    {"randomWord", random_word},
    {"sentSignals", sent_signals},
    {"lock", lock_byte},
    {"unlock", unlock_byte},
    {"probe", probe_bytes},
    {"map", map_file},
    {"closeMapping", close_mapping},
    {"isLocked", is_mapping_locked},
    {"pin", pin_byte},
    {"unpin", unpin_byte},
    {"setExitPlan", set_exit_plan},
    {"wake", wake_word},
    {"park", park_on_word},
    {"startWaiter", start_waiter},
    {"refWaiter", ref_waiter},
    {"unrefWaiter", unref_waiter},
    {"watchDeaths", watch_deaths},
    {"constants", system_constants},
    {"errorText", error_text},
    {"interrupt", interrupt_call},
    {"join", join_call},
    {"shm_open", posix_shm_open},
    {"shm_unlink", posix_shm_unlink},
    {"memfd_create", posix_memfd_create},
    {"fcntl", posix_fcntl},
    {"posix_fallocate", posix_fallocate_now},
    {"posix_fallocate_async", posix_fallocate_async},
    {"mmap", raw_map},
    {"mprotect", raw_protect},
    {"mlock", raw_lock},
    {"munlock", raw_unlock},
    {"madvise", raw_advise},
    {"msync", raw_synchronize},
    {"msync_async", raw_synchronize_async},
    {"sem_open", posix_sem_open},
    {"sem_unlink", posix_sem_unlink},
    {"sem_init", posix_sem_init},
    {"sem_at", posix_sem_at},
    {"sem_close", posix_sem_close},
    {"sem_trywait", posix_sem_trywait},
    {"sem_post", posix_sem_post},
    {"sem_getvalue", posix_sem_getvalue},
    {"sem_park", posix_sem_park},
    {"sem_wait", posix_sem_wait},
    {"mutex_init", posix_mutex_init},
    {"mutex_at", posix_mutex_at},
    {"mutex_destroy", posix_mutex_destroy},
    {"mutex_trylock", posix_mutex_trylock},
    {"mutex_lock", posix_mutex_lock},
    {"mutex_unlock", posix_mutex_unlock},
    {"mutex_consistent", posix_mutex_consistent},
    {"mutex_depth", posix_mutex_depth},
    {"cond_init", posix_cond_init},
    {"cond_at", posix_cond_at},
    {"cond_close", posix_cond_close},
    {"cond_nap", posix_cond_nap},
    {"cond_signal", posix_cond_signal},
    {"mq_open", posix_mq_open},
    {"mq_unlink", posix_mq_unlink},
    {"mq_getattr", posix_mq_getattr},
    {"mq_setattr", posix_mq_setattr},
    {"mq_send", posix_mq_send},
    {"mq_receive", posix_mq_receive},
    {"mq_send_async", posix_mq_send_async},
    {"mq_receive_async", posix_mq_receive_async},
    {"mq_notify", posix_mq_notify},
    {"ftok", sysv_ftok},
    {"shmget", sysv_shmget},
    {"shmat", sysv_shmat},
    {"shm_stat", sysv_shm_stat},
    {"shm_set", sysv_shm_set},
    {"shm_command", sysv_shm_command},
    {"semget", sysv_semget},
    {"semop", sysv_semop},
    {"semop_park", sysv_semop_park},
    {"semop_async", sysv_semop_async},
    {"sem_stat", sysv_sem_stat},
    {"sem_set", sysv_sem_set},
    {"sem_command", sysv_sem_command},
    {"sem_values", sysv_sem_values},
    {"msgget", sysv_msgget},
    {"msgsnd", sysv_msgsnd},
    {"msgsnd_async", sysv_msgsnd_async},
    {"msgrcv", sysv_msgrcv},
    {"msgrcv_async", sysv_msgrcv_async},
    {"msg_stat", sysv_msg_stat},
    {"msg_set", sysv_msg_set},
    {"msg_remove", sysv_msg_remove},
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
