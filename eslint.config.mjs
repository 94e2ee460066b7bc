import js from "@eslint/js";
import { defineConfig } from "eslint/config";
import ts from "typescript-eslint";

const NODE_TEST = { from: "package", package: "node:test" };

export default defineConfig([
  { ignores: ["api.d.ts", "api-*.d.ts", "dist/", "build/", "prebuilds/", "node_modules/"] },
  js.configs.recommended,
  {
    rules: {
      eqeqeq: "error",
      "no-empty": ["error", { allowEmptyCatch: true }],
      "no-constant-condition": ["error", { checkLoops: false }],
    },
  },
  {
    // The compiler checks these (tsconfig.scripts.json) and knows the names that Node provides.
    files: ["**/*.mjs", "**/*.cjs"],
    rules: { "no-undef": "off", "no-unused-vars": "off" },
  },
  {
    files: ["**/*.ts"],
    extends: [ts.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // Registering a test returns a promise that only nested tests need.
      "@typescript-eslint/no-floating-promises": [
        "error",
        {
          allowForKnownSafeCalls: [
            { ...NODE_TEST, name: ["test", "it", "describe", "suite", "before", "after", "beforeEach", "afterEach"] },
          ],
        },
      ],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      // An async function is how an interface's promise is kept, also by an implementation that has nothing to await.
      "@typescript-eslint/require-await": "off",
      // The compiler reports these.
      "@typescript-eslint/no-unused-vars": "off",
    },
  },
  {
    files: ["src/**/*.ts"],
    // Structs lie in memory of the user's; no word of a region is reached through them.
    ignores: ["src/memory/words.ts", "src/memory/structs/atomics.ts"],
    rules: {
      "no-restricted-globals": [
        "error",
        { name: "Atomics", message: "src/memory/words.ts is the one door to shared words." },
      ],
    },
  },
  {
    files: ["src/**/*.ts"],
    ignores: ["src/cli/**"],
    rules: {
      "no-console": "error",
      "no-restricted-syntax": [
        "error",
        {
          selector: "CallExpression[callee.object.name='process'][callee.property.name=/^(on|once|addListener|exit)$/]",
          message: "The library installs no handlers of the process and does not end it.",
        },
      ],
    },
  },
]);
