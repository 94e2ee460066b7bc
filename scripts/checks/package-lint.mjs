import { readFileSync } from "node:fs";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { withPackage } from "./pack.mjs";

/** What publint and arethetypeswrong say of the packed package. */
export const gate = {
  name: "package-lint",
  run: ({ root }) =>
    withPackage(root, async (_folder, archive) => {
      const bytes = readFileSync(archive);
      const tarball = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
      const { messages, pkg } = await publint({ pack: { tarball }, strict: true });
      const types = await checkPackage(createPackageFromTarballData(new Uint8Array(tarball)));
      if (types.types === false) return { problems: ["arethetypeswrong finds no types"], note: "" };
      return {
        problems: [
          ...messages.map((message) => `publint: ${formatMessage(message, pkg)}`),
          ...types.problems.map((problem) => `arethetypeswrong: ${JSON.stringify(problem)}`),
        ],
        note: `publint, arethetypeswrong: ${Object.keys(types.entrypoints).join(", ")}`,
      };
    }),
};
