import { spawnSync } from "node:child_process";

/** The tests of this repository's own tools. They say nothing of the product, so `npm test` leaves them to this gate. */
export const gate = {
  name: "tools",
  run({ root }) {
    const { stdout, stderr } = spawnSync(process.execPath, ["scripts/run-tests.mjs", "tools/"], {
      cwd: root,
      encoding: "utf8",
      maxBuffer: 64 * 1024 * 1024,
    });
    const [, passed, failed] = /^(\d+) passed, (\d+) failed$/m.exec(stdout) ?? [];
    const areFine = Number(passed) > 0 && Number(failed) === 0;
    return { problems: areFine ? [] : [`${stdout}${stderr}`.trimEnd()], note: `${passed ?? 0} tests passed` };
  },
};
