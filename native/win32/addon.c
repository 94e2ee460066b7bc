/* Registration: one call per environment (main thread and every worker), nothing else happens at load. */
#include "exports.h"

#include "environment.h"

/* WIN32_ABI in src/native/win32-contract.ts. */
#define SHMKIT_WIN32_ABI 1

static const struct export EXPORTS[] = {
    {"CreateFile", create_file, NULL},
    {"CreateFileMapping", create_file_mapping, NULL},
    {"OpenFileMapping", open_file_mapping, NULL},
    {"MapViewOfFile", map_view_of_file, NULL},
    {"UnmapViewOfFile", unmap_view_of_file, NULL},
    {"FlushViewOfFile", flush_view_of_file, NULL},
    {"FlushViewOfFile_async", flush_view_of_file_async, NULL},
    {"CreateMutex", create_mutex, NULL},
    {"OpenMutex", open_mutex, NULL},
    {"ReleaseMutex", release_mutex, NULL},
    {"CreateEvent", create_event, NULL},
    {"OpenEvent", open_event, NULL},
    {"SetEvent", set_event, NULL},
    {"ResetEvent", reset_event, NULL},
    {"CreateSemaphore", create_semaphore, NULL},
    {"OpenSemaphore", open_semaphore, NULL},
    {"ReleaseSemaphore", release_semaphore, NULL},
    {"CloseHandle", close_handle, NULL},
    {"WaitForSingleObject", wait_for_single_object, NULL},
    {"WaitForSingleObject_async", wait_for_single_object_async, NULL},
    {"cancel", cancel_pending, NULL},
    {"errorText", error_text, NULL},
};

/* What regions ask of every system, of src/native/contract.ts. */
static const struct export OF_REGIONS[] = {
    {"openTemporary", open_temporary, NULL},
    {"openExisting", open_existing, NULL},
    {"linkDescriptor", link_descriptor, NULL},
    {"unlink", unlink_path, NULL},
    {"sameFile", same_file, NULL},
    {"stat", stat_descriptor, NULL},
    {"close", close_descriptor, NULL},
    {"closeAsync", close_async, NULL},
    {"allocate", allocate_range, NULL},
    {"allocateAsync", allocate_async, NULL},
    {"punch", punch_range, NULL},
    {"effectiveUid", effective_uid, NULL},
    {"startTime", start_time, NULL},
    {"threadId", thread_id, NULL},
    {"randomWord", random_word, NULL},
    {"lock", lock_byte, NULL},
    {"unlock", unlock_byte, NULL},
    {"probe", probe_bytes, NULL},
    {"map", map_file, NULL},
    {"closeMapping", close_mapping, NULL},
    {"pin", pin_byte, NULL},
    {"unpin", unpin_byte, NULL},
    {"setExitPlan", set_exit_plan, NULL},
    {"wake", wake_word, NULL},
    {"park", park_on_word, NULL},
    {"startWaiter", start_waiter, NULL},
    {"refWaiter", ref_waiter, NULL},
    {"unrefWaiter", unref_waiter, NULL},
    {"watchDeaths", watch_deaths, NULL},
};

static bool define(napi_env env, napi_value target, uint32_t abi, const struct export *exports, size_t count) {
  napi_value value;
  if (napi_create_uint32(env, abi, &value) != napi_ok || napi_set_named_property(env, target, "abi", value) != napi_ok) {
    return false;
  }
  for (size_t i = 0; i < count; i++) {
    const struct export *export = &exports[i];
    if (napi_create_function(env, export->name, NAPI_AUTO_LENGTH, call_dispatch, (void *)export, &value) != napi_ok ||
        napi_set_named_property(env, target, export->name, value) != napi_ok) {
      return false;
    }
  }
  return true;
}

static bool define_exports(napi_env env, napi_value exports) {
  napi_value regions;
  return define(env, exports, SHMKIT_WIN32_ABI, EXPORTS, COUNT_OF(EXPORTS)) && napi_create_object(env, &regions) == napi_ok &&
         define(env, regions, SHMKIT_NATIVE_ABI, OF_REGIONS, COUNT_OF(OF_REGIONS)) &&
         napi_set_named_property(env, exports, "regions", regions) == napi_ok;
}

NAPI_MODULE_INIT() {
  if (environment_begin(env) && define_exports(env, exports)) return exports;
  napi_throw_error(env, "ERR_ADDON_LOAD", "shmkit's addon could not set itself up: out of memory, or the environment is ending");
  return NULL;
}
