import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { ShmkitError } from "../base/errors.js";
import { WIN32_ABI, type Win32Addon } from "./win32-contract.js";

const NEEDED = "win32";

let loaded: Win32Addon | undefined;

function load(): Win32Addon {
  const name = `${process.platform}-${process.arch}`;
  if (process.platform !== NEEDED)
    throw new ShmkitError("ERR_ADDON", `shmkit/win32 works on Windows only, and this is ${name}`, { actual: name });
  // This module is `dist/native/win32-addon.js` in the package's folder.
  const path = fileURLToPath(new URL(`../../prebuilds/${name}.node`, import.meta.url));
  if (!existsSync(path)) {
    const advice = "Install the package again, with its folder prebuilds; in a checkout: npm run prebuilds, on Linux";
    throw new ShmkitError("ERR_ADDON", `no native addon for ${name}; looked for ${path}. ${advice}`, {
      expected: [path],
    });
  }
  let addon: Win32Addon;
  try {
    addon = createRequire(import.meta.url)(path) as Win32Addon;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ShmkitError("ERR_ADDON", `the native addon ${path} does not load: ${reason}`, { path, cause: error });
  }
  if (addon.abi === WIN32_ABI) return addon;
  throw new ShmkitError(
    "ERR_ADDON",
    `${path} implements version ${String(addon.abi)} of the native contract and this package needs ${WIN32_ABI}; reinstall shmkit`,
    { path, expected: WIN32_ABI, actual: addon.abi },
  );
}

/** The addon for Windows, loaded when it is first needed. @throws ERR_ADDON on every other system, and when it is missing */
export const win32 = (): Win32Addon => (loaded ??= load());
