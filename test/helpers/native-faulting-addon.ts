import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const HEADERS = fileURLToPath(new URL("../../../node_modules/node-api-headers/include", import.meta.url));

const SOURCE = `
#define _GNU_SOURCE
#define NAPI_VERSION 8
#include <node_api.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

/* Reads beyond the end of a file that is mapped at the given address, which is free. */
static napi_value fault(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument;
  double address = 0;
  napi_get_cb_info(env, info, &count, &argument, NULL, NULL);
  napi_get_value_double(env, argument, &address);
  int descriptor = memfd_create("empty", 0);
  int flags = MAP_SHARED | MAP_FIXED_NOREPLACE;
  volatile char *page = mmap((void *)(uintptr_t)address, 4096, PROT_READ, flags, descriptor, 0);
  if (page == MAP_FAILED) _exit(99);
  (void)page[0];
  return NULL;
}
static napi_value ignore(napi_env env, napi_callback_info info) {
  (void)env; (void)info;
  signal(SIGBUS, SIG_IGN);
  return NULL;
}
static void end(int number) { (void)number; _exit(42); }
static napi_value handle(napi_env env, napi_callback_info info) {
  (void)env; (void)info;
  signal(SIGBUS, end);
  return NULL;
}
static void define(napi_env env, napi_value exports, const char *name, napi_callback callback) {
  napi_value function;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, NULL, &function);
  napi_set_named_property(env, exports, name, function);
}
NAPI_MODULE_INIT() {
  define(env, exports, "fault", fault);
  define(env, exports, "ignore", ignore);
  define(env, exports, "handle", handle);
  return exports;
}
`;

/** Path of an addon that faults in memory of its own, and a function that removes it. */
export function buildFaultingAddon(): { path: string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), "shmkit-fault-"));
  const source = join(folder, "fault.c");
  const path = join(folder, "fault.node");
  writeFileSync(source, SOURCE);
  const [compiler, ...args] = (process.env["CC"] ?? "cc").split(/\s+/);
  execFileSync(compiler, [...args, "-shared", "-fPIC", `-I${HEADERS}`, source, "-o", path]);
  return { path, remove: () => rmSync(folder, { recursive: true }) };
}
