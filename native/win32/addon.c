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
