import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { packageFiles } from "./package-files.mjs";
import { packedManifestText } from "./packed-manifest.mjs";

/** Copies what belongs into the package to an empty folder, with the package.json that it has there: nobody's checkout changes. */
export function stagePackage(root, folder) {
  for (const path of packageFiles(root)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    copyFileSync(join(root, path), join(folder, path));
  }
  const manifest = readFileSync(join(root, "package.json"), "utf8");
  writeFileSync(join(folder, "package.json"), packedManifestText(manifest));
}
