import { spawnSync } from "node:child_process";

/** Why a command cannot run behind `unshare`, for a test that then is left out; false when it can. */
export function refusal(unshare: readonly string[]): string | false {
  const { status, stderr, error } = spawnSync(unshare[0], [...unshare.slice(1), "true"], { encoding: "utf8" });
  if (error !== undefined) return `there is no ${unshare[0]} here (${error.message})`;
  return status === 0 ? false : `${unshare.join(" ")} is refused here: ${stderr.trim()}`;
}

/** A PID namespace of its own, in which the command is process 1; it dies with `unshare`. */
export const OWN_PIDS = ["unshare", "-Urp", "--kill-child"] as const;

/** The same, which also sees only its own processes in /proc. */
export const OWN_PROC = [...OWN_PIDS, "--mount-proc"] as const;

/** A /dev/shm of its own, with mount options of tmpfs. */
export const ownSharedMemory = (options: string): readonly string[] => [
  "unshare",
  "-Urm",
  "sh",
  "-c",
  `mount -t tmpfs -o ${options} tmpfs /dev/shm && exec "$@"`,
  "sh",
];

/** A file system of its own at a folder. */
export const ownFileSystem = (type: string, folder: string): readonly string[] => [
  "unshare",
  "-Urm",
  "sh",
  "-c",
  `mount -t ${type} ${type} '${folder}' && exec "$@"`,
  "sh",
];
