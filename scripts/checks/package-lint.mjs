import { readFileSync } from "node:fs";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { withPackage } from "./pack.mjs";

/** What a resolution of old finds is none of ours: Node 20 and every bundler of its time read `exports`. */
const OF_OLD = "node10";

/** Conditions of the checkout's tests, for modules of which the package has the bundle instead. */
const isOfTests = ({ path = [] }) => path.some((part) => String(part).startsWith("shmkit-"));

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
      const wrong = types.problems.filter(
        (problem) => !("resolutionKind" in problem && problem.resolutionKind === OF_OLD),
      );
      return {
        problems: [
          ...messages
            .filter((message) => !isOfTests(message))
            .map((message) => `publint: ${formatMessage(message, pkg)}`),
          ...wrong.map((problem) => `arethetypeswrong: ${JSON.stringify(problem)}`),
        ],
        note: `publint, arethetypeswrong: ${Object.keys(types.entrypoints).join(", ")}`,
      };
    }),
};
