/* Registration: one call per environment (main thread and every worker), nothing else happens at load. */
#include "platform.h"

#include "environment.h"
#include "exports.h"
#include "mapping.h"

/* NATIVE_ABI in src/native/contract.ts. */
#define SHMKIT_NATIVE_ABI 2

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
    {"closeAsync", close_async},
    {"truncate", truncate_file},
    {"allocate", allocate_range},
    {"allocateAsync", allocate_async},
    {"punch", punch_range},
    {"effectiveUid", effective_uid},
    {"startTime", start_time},
    {"threadId", thread_id},
    {"lock", lock_byte},
    {"unlock", unlock_byte},
    {"probe", probe_bytes},
    {"map", map_file},
    {"closeMapping", close_mapping},
    {"pin", pin_byte},
    {"unpin", unpin_byte},
    {"setExitPlan", set_exit_plan},
    {"wake", wake_word},
    {"park", park_on_word},
    {"startWaiter", start_waiter},
    {"refWaiter", ref_waiter},
    {"unrefWaiter", unref_waiter},
    {"watchDeaths", watch_deaths},
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
