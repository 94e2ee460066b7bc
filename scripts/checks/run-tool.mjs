import { spawnSync } from "node:child_process";

/** Runs a tool of `node_modules` to its end; answers its exit code and everything it said. */
export function runTool(root, script, args) {
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [`${root}/node_modules/${script}`, ...args], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error) throw error;
  return { status, output: `${stdout}${stderr}`.trim() };
}
