/** Regions and `shmkit/win32` in Windows' own Node, which Wine runs. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Missing } from "../../benchmarks/packages.js";
import { OK, type Outcome, type RuntimeResult } from "./results.js";
import { installedAt, installRuntimes, systemProgram } from "./runtimes.js";

export interface WindowsRuntime {
  readonly name: string;
  readonly title: string;
  /** In the folder of npm packages. */
  readonly program: string;
}

/** Wine 8, Debian's, lacks what V8 of Node 24 and later reserves its memory with. */
export const WINDOWS: readonly WindowsRuntime[] = [20, 22].map((version) => ({
  name: `node-${version}-win32-x64`,
  title: `Node ${version}, Windows (Wine)`,
  program: `node-${version}-win32-x64/bin/node.exe`,
}));

/** A runtime that can be started. */
export interface ProvidedWindows {
  readonly runtime: WindowsRuntime;
  readonly version: string;
  readonly command: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** Debian has it in no folder of the PATH. */
const WINE = ["wine64", "/usr/lib/wine/wine64"];
/** Nothing takes so long, however busy the machine. */
const WATCHDOG_MS = 900_000;

/** What a Linux path is called there. */
const windowsPath = (path: string): string => `Z:${path.replaceAll("/", "\\")}`;

interface PrebuildScript {
  readonly prebuildAddons: (root: string) => string[];
}

/** Runs a program of Windows to its end; Wine's programs cannot write to pipes of Linux. */
function runThere(command: readonly string[], env: NodeJS.ProcessEnv): { status: number | null; output: string } {
  const folder = mkdtempSync(join(tmpdir(), "shmkit-wine-"));
  const path = join(folder, "output");
  const output = openSync(path, "w");
  const { status, error } = spawnSync(command[0], command.slice(1), { env, stdio: ["ignore", output, output] });
  closeSync(output);
  const text = error?.message ?? readFileSync(path, "utf8").trim();
  rmSync(folder, { recursive: true });
  return { status, output: text };
}

/** A Windows of this checkout's own, in the version that Node asks for. */
function makePrefix(wine: string, env: NodeJS.ProcessEnv, folder: string): void {
  const stamp = join(folder, ".shmkit-made");
  if (existsSync(stamp)) return;
  mkdirSync(folder, { recursive: true });
  for (const args of [
    ["wineboot", "-i"],
    ["reg", "add", "HKCU\\Software\\Wine", "/v", "Version", "/d", "win10", "/f"],
  ]) {
    const { status, output } = runThere([wine, ...args], env);
    if (status !== 0) throw new Missing(`wine64 ${args[0]} ended with ${status}: ${output}`);
  }
  writeFileSync(stamp, "");
}

/** Makes a runtime ready. @throws Missing, with what to do about it */
export async function provideWindows(root: string, runtime: WindowsRuntime): Promise<ProvidedWindows> {
  const wine = systemProgram(WINE, "wine64");
  const folder = join(root, "build/matrix/wine");
  // Wine offers to install .NET and a browser otherwise.
  const env = { ...process.env, WINEPREFIX: folder, WINEDEBUG: "-all", WINEDLLOVERRIDES: "mscoree,mshtml=" };
  makePrefix(wine, env, folder);
  installRuntimes(root);
  const script = pathToFileURL(join(root, "scripts/prebuild-addons.mjs")).href;
  ((await import(script)) as PrebuildScript).prebuildAddons(root);
  const command = [wine, installedAt(root, runtime.program)];
  const { status, output } = runThere([...command, "--version"], env);
  const version = /\d+\.\d+\.\d+/.exec(output)?.[0];
  if (status !== 0 || version === undefined) throw new Missing(`${runtime.program} does not start: ${output}`);
  return { runtime, version, command, env };
}

/** What `test/win32/main.ts` writes. */
interface Report {
  readonly planned: readonly string[];
  readonly outcomes: Readonly<Record<string, Outcome>>;
}

/** Runs all checks there; one that none is told of has not ended. */
export async function runWindows(
  root: string,
  { runtime, version, command, env }: ProvidedWindows,
  progress: (line: string) => void,
): Promise<RuntimeResult> {
  const { name, title } = runtime;
  const startedAt = Date.now();
  const folder = mkdtempSync(join(tmpdir(), "shmkit-wine-"));
  const [path, log] = [join(folder, "results.json"), join(folder, "output")];
  const output = openSync(log, "w");
  const args = ["--expose-gc", join(root, "build/test/win32/main.js"), windowsPath(path)];
  const child = spawn(command[0], [...command.slice(1), ...args], { env, stdio: ["ignore", output, output] });
  const watchdog = setTimeout(() => child.kill("SIGKILL"), WATCHDOG_MS);
  const [code] = (await once(child, "exit")) as [number | null];
  clearTimeout(watchdog);
  closeSync(output);
  let checks: Record<string, Outcome>;
  try {
    const { planned, outcomes } = JSON.parse(readFileSync(path, "utf8")) as Report;
    const missing = `not done: the process ended with ${code}: ${readFileSync(log, "utf8").trim()}`;
    checks = Object.fromEntries(planned.map((check) => [check, outcomes[check] ?? missing]));
  } catch (error) {
    checks = { "the checks begin": `${(error as Error).message} ${readFileSync(log, "utf8").trim()}` };
  }
  rmSync(folder, { recursive: true });
  const failed = Object.values(checks).filter((outcome) => outcome !== OK).length;
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
  progress(`${title}: ${Object.keys(checks).length} checks, ${failed} failed (${seconds} s)`);
  return { name, title, version, checks };
}
