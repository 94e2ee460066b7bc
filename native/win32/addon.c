/* Registration: one call per environment (main thread and every worker), nothing else happens at load. */
#include "exports.h"

#include "environment.h"

/* WIN32_ABI in src/native/win32-contract.ts. */
#define SHMKIT_WIN32_ABI 1

static const struct export EXPORTS[] = {
    {"CreateFile", create_file},
    {"CreateFileMapping", create_file_mapping},
    {"OpenFileMapping", open_file_mapping},
    {"MapViewOfFile", map_view_of_file},
    {"UnmapViewOfFile", unmap_view_of_file},
    {"FlushViewOfFile", flush_view_of_file},
    {"FlushViewOfFile_async", flush_view_of_file_async},
    {"CreateMutex", create_mutex},
    {"OpenMutex", open_mutex},
    {"ReleaseMutex", release_mutex},
    {"CreateEvent", create_event},
    {"OpenEvent", open_event},
    {"SetEvent", set_event},
    {"ResetEvent", reset_event},
    {"CreateSemaphore", create_semaphore},
    {"OpenSemaphore", open_semaphore},
    {"ReleaseSemaphore", release_semaphore},
    {"CloseHandle", close_handle},
    {"WaitForSingleObject", wait_for_single_object},
    {"WaitForSingleObject_async", wait_for_single_object_async},
    {"cancel", cancel_pending},
    {"errorText", error_text},
};

static bool define_exports(napi_env env, napi_value exports) {
  napi_value value;
  if (napi_create_uint32(env, SHMKIT_WIN32_ABI, &value) != napi_ok ||
      napi_set_named_property(env, exports, "abi", value) != napi_ok) {
    return false;
  }
  for (size_t i = 0; i < COUNT_OF(EXPORTS); i++) {
    const struct export *export = &EXPORTS[i];
    if (napi_create_function(env, export->name, NAPI_AUTO_LENGTH, call_dispatch, (void *)export, &value) != napi_ok ||
        napi_set_named_property(env, exports, export->name, value) != napi_ok) {
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
