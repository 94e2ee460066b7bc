import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What programs for Windows take of others, by the file that lists it: the runtime and the system's C library. */
const IMPORTED = {
  "node.exe": ["js_native_api", "node_api"].map((name) => `node_modules/node-api-headers/def/${name}.def`),
  "ucrtbase.dll": ["native/win32/ucrtbase.def"],
};

/**
 * Makes libraries that say what is to be found where when the addon for Windows is loaded; answers what the linker is to be
 * told. It makes one of the addon as well, which nobody wants: in the same folder.
 */
export function importLibraries(root, zig, env) {
  const folder = join(root, "build/import-libraries");
  mkdirSync(folder, { recursive: true });
  const libraries = Object.entries(IMPORTED).map(([file, lists]) => {
    const names = lists.flatMap((list) =>
      readFileSync(join(root, list), "utf8").split("EXPORTS\n")[1].trim().split("\n"),
    );
    const [definition, library] = [join(folder, `${file}.def`), join(folder, `${file}.a`)];
    writeFileSync(definition, ["LIBRARY " + file, "EXPORTS", ...names, ""].join("\n"));
    const args = ["dlltool", "-m", "i386:x86-64", "-d", definition, "-l", library];
    const { status, stderr, error } = spawnSync(zig, args, { encoding: "utf8", env });
    if (status !== 0) throw new Error(`zig dlltool could not make ${library}: ${error?.message ?? stderr}`);
    return library;
  });
  return [...libraries, `-Wl,--out-implib=${join(folder, "addon.lib")}`];
}
