import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { ShmkitError } from "../base/errors.js";
import { NATIVE_ABI, type NativeAddon } from "./contract.js";

/** The package's folder: this module is `dist/native/addon.js` in it. */
const PACKAGE_ROOT = new URL("../../", import.meta.url);

/** The C library of this process, by what it has loaded: the two libraries' addons do not mix. */
export const libc = (): "glibc" | "musl" => (usesMusl() ? "musl" : "glibc");

function usesMusl(): boolean {
  try {
    return readFileSync("/proc/self/maps", "utf8").includes("/ld-musl-");
  } catch {
    return false;
  }
}

/** Where the addon may be, best first. */
function candidates(): string[] {
  const explicit = process.env["SHMKIT_ADDON"];
  if (explicit !== undefined && explicit !== "") return [explicit];
  if (process.platform === "win32")
    return [fileURLToPath(new URL(`prebuilds/win32-${process.arch}.node`, PACKAGE_ROOT))];
  if (process.platform !== "linux") return [];
  const suffix = libc() === "musl" ? "-musl" : "";
  // A checkout has its own, made from its sources; a package has none.
  return ["build/shmkit.node", `prebuilds/${process.platform}-${process.arch}${suffix}.node`].map((path) =>
    fileURLToPath(new URL(path, PACKAGE_ROOT)),
  );
}

/** What the addon of this system does not have. */
function missing(what: string): ShmkitError {
  const name = `${process.platform}-${process.arch}`;
  return new ShmkitError("ERR_ADDON", `${what} works on Linux only, and this is ${name}; see docs/guide/windows.md`, {
    actual: name,
  });
}

/** For what the addon for Windows has a part of, and not all. @throws ERR_ADDON there */
export function requireLinux(what: string): void {
  if (process.platform === "win32") throw missing(what);
}

/** The addon for Windows has what regions need; the other calls are ERR_ADDON. */
function withoutTheRest(regions: NativeAddon): NativeAddon {
  const absent = new Proxy(
    { constants: () => ({}) },
    {
      get: (target, name) =>
        typeof name === "symbol" || name in target
          ? (Reflect.get(target, name) as unknown)
          : () => {
              throw missing(name);
            },
    },
  );
  return Object.setPrototypeOf(regions, absent) as NativeAddon;
}

function load(path: string): NativeAddon {
  const loaded = createRequire(import.meta.url)(path) as NativeAddon & { readonly regions?: NativeAddon };
  const addon = loaded.regions === undefined ? loaded : withoutTheRest(loaded.regions);
  if (addon.abi === NATIVE_ABI) return addon;
  throw new ShmkitError(
    "ERR_ADDON",
    `${path} implements version ${String(addon.abi)} of the native contract and this package needs ${NATIVE_ABI}; ` +
      `reinstall shmkit, or rebuild the addon with: node scripts/build-addon.mjs --force`,
    { path, expected: NATIVE_ABI, actual: addon.abi },
  );
}

/** What to do without one: on another system nothing that is installed or built here would help. */
function advice(paths: readonly string[]): string {
  if (process.platform !== "linux")
    return "shmkit works on Linux, and on Windows for x64: elsewhere, run it in a Linux container or a virtual machine";
  const again = "Install the package again, with its folder prebuilds; in a checkout: npm run build";
  return `looked for ${paths.join(" and ")}. ${again}; SHMKIT_ADDON may name one elsewhere`;
}

function find(): { path: string; addon: NativeAddon } {
  const paths = candidates();
  const existing = paths.find((path) => existsSync(path));
  if (existing === undefined) {
    throw new ShmkitError("ERR_ADDON", `no native addon for ${process.platform} ${process.arch}; ${advice(paths)}`, {
      expected: paths,
    });
  }
  try {
    return { path: existing, addon: load(existing) };
  } catch (error) {
    if (error instanceof ShmkitError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new ShmkitError("ERR_ADDON", `the native addon ${existing} does not load: ${reason}`, {
      path: existing,
      cause: error,
    });
  }
}

const found = find();

/** The addon. @throws ERR_ADDON at import when it is missing, does not load, or is of another version. */
export const native: NativeAddon = found.addon;

/** The file it was loaded from. */
export const addonPath = found.path;
