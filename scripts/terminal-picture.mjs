/**
 * `node scripts/terminal-picture.mjs`: plays a short session in a shell, records what it really says, and draws it for
 * README.md. The gate `terminal-picture` holds the picture against what was recorded.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** What was recorded, and the picture of it. */
export const SESSION = "scripts/terminal-session.json";
export const PICTURE = "docs/terminal.svg";

/** The session, line by line. `shmkit` is the command of this checkout. */
export const COMMANDS = [
  "seq 1000000 | shmkit send picture/numbers &   # waits for somebody who receives",
  "shmkit recv picture/numbers | head -n 3      # takes some and goes",
  "shmkit recv picture/numbers > /dev/null & sleep 1; kill -9 $!",
  "shmkit ls picture",
  "shmkit recv picture/numbers | sort -n | tail -n 1   # another one goes on to the end",
  "shmkit demo --only work src test | sed -n 2,6p",
];

const COLUMNS = 120;
const CHARACTER = 7.6;
const LINE = 17;
const PADDING = 16;
const BAR = 30;

const STYLE = `
  rect { fill: #0d1117 }
  circle { fill: #30363d }
  text { font: 12.5px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #c9d1d9; white-space: pre }
  .prompt { fill: #7ee787 }
  .command { fill: #ffffff; font-weight: 600 }
  .title { fill: #8b949e }`;

/** Runs the commands in one shell, so that jobs and variables live on; what they say is cut by marks in between. */
function record(root) {
  const mark = "--next--";
  const program = [
    // A program, no function, so that the shell's $! is the process itself.
    `printf '#!/bin/sh\\nexec node "%s" "$@"\\n' ${JSON.stringify(join(root, "dist/cli/main.js"))} > "$BIN/shmkit"`,
    'chmod +x "$BIN/shmkit"; PATH="$BIN:$PATH"',
    ...COMMANDS.map((command) => `${command}\necho '${mark}'`),
  ].join("\n");
  const bin = mkdtempSync(join(tmpdir(), "shmkit-picture-"));
  const { status, stdout } = spawnSync("bash", ["-c", program], {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1", COLUMNS: String(COLUMNS), BIN: bin },
    stdio: ["ignore", "pipe", "ignore"],
    timeout: 120_000,
  });
  rmSync(bin, { recursive: true });
  const outputs = stdout.split(`${mark}\n`).slice(0, -1);
  if (status !== 0 || outputs.length !== COMMANDS.length)
    throw new Error(`the session ended with ${status}:\n${stdout}`);
  return {
    recordedAt: new Date().toISOString().slice(0, 10),
    node: process.version,
    steps: COMMANDS.map((command, at) => ({ command, output: outputs[at].trimEnd().split("\n") })),
  };
}

function escaped(text) {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** The session as a terminal shows it. */
export function draw({ recordedAt, node, steps }) {
  const rows = steps.flatMap(({ command, output }) => [
    `<tspan class="prompt">$ </tspan><tspan class="command">${escaped(command)}</tspan>`,
    ...output.filter((line) => line !== "").map(escaped),
  ]);
  const longest = Math.max(
    ...steps.flatMap(({ command, output }) => [command.length + 2, ...output.map((l) => l.length)]),
  );
  const width = Math.ceil(longest * CHARACTER) + 2 * PADDING;
  const height = BAR + rows.length * LINE + PADDING;
  const lines = rows.map(
    (row, at) => `<text x="${PADDING}" y="${BAR + (at + 1) * LINE}" xml:space="preserve">${row}</text>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>A session with shmkit, recorded</title>`,
    `<style>${STYLE}\n</style>`,
    `<rect width="${width}" height="${height}" rx="8"/>`,
    ...[0, 1, 2].map((at) => `<circle cx="${PADDING + 4 + at * 18}" cy="${BAR / 2}" r="5"/>`),
    `<text x="${PADDING + 66}" y="${BAR / 2 + 4}" class="title">recorded ${recordedAt}, Node ${node}: node scripts/terminal-picture.mjs</text>`,
    ...lines,
    "</svg>",
    "",
  ].join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  const session = record(root);
  writeFileSync(join(root, SESSION), `${JSON.stringify(session, null, 2)}\n`);
  writeFileSync(join(root, PICTURE), draw(session));
}
