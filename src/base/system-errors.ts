import { constants } from "node:os";
import { getSystemErrorName } from "node:util";
import { ShmkitError, type ErrorCode } from "./errors.js";

const { errno } = constants;

/** errno values (positive) this package tells apart. */
export const ERRNO = {
  again: errno.EAGAIN,
  exists: errno.EEXIST,
  missing: errno.ENOENT,
  noSpace: errno.ENOSPC,
  notSupported: errno.EOPNOTSUPP,
  timedOut: errno.ETIMEDOUT,
  busy: errno.EBUSY,
  tooManyFiles: errno.EMFILE,
  isDirectory: errno.EISDIR,
  refused: [errno.EPERM, errno.EACCES] as readonly number[],
} as const;

const SHARED_MEMORY = "/dev/shm";

function spaceAdvice(path: string | undefined): string {
  if (process.platform === "win32") return "close what takes memory, enlarge the paging file, or ask for less";
  if (path?.startsWith(SHARED_MEMORY) === false) return "free space on the file system of the file, or ask for less";
  return "free shared memory (shmkit clean), ask for less, or enlarge /dev/shm (docker run --shm-size)";
}

function codeOf(number: number, syscall: string, path: string | undefined): { code: ErrorCode; advice: string } {
  switch (number) {
    case errno.EACCES:
    case errno.EPERM:
      return { code: "ERR_PERMISSION", advice: "check the owner and mode" };
    case errno.ENOSPC:
    case errno.EDQUOT:
    case errno.ENOMEM:
      return {
        code: "ERR_NO_SPACE",
        advice: spaceAdvice(path),
      };
    case errno.ENOENT:
      return { code: "ERR_NOT_FOUND", advice: "create it first" };
    case errno.EEXIST:
      return { code: "ERR_EXISTS", advice: "open it instead, or remove it first" };
    case errno.ELOOP:
    case errno.ENXIO:
      return {
        code: "ERR_BAD_REGION",
        advice:
          "a link or something else that is no regular file has that name; it is never followed, remove it with rm(1)",
      };
    case errno.ENOTSUP:
      if (syscall === "fallocate")
        return {
          code: "ERR_FILE_SYSTEM",
          advice: "its file system cannot back a file ahead of its use; use another one",
        };
      return { code: "ERR_RUNTIME_LIMIT", advice: "ask for less, or use a newer runtime" };
    default:
      return { code: "ERR_SYSTEM", advice: "see the errno" };
  }
}

/** `EAGAIN` for 11: Node knows numbers of its own on Windows, and not those of the system's C library. */
function nameOf(result: number): string {
  const name =
    process.platform === "win32" ? Object.entries(errno).find(([, value]) => value === -result)?.[0] : undefined;
  return name ?? getSystemErrorName(result);
}

/** A typed error for a negative errno that a call of the addon answered. */
export function systemError(result: number, syscall: string, path?: string): ShmkitError {
  const { code, advice } = codeOf(-result, syscall, path);
  const name = nameOf(result);
  return new ShmkitError(code, `${syscall}${path === undefined ? "" : ` ${path}`}: ${name}; ${advice}`, {
    errno: result,
    syscall,
    ...(path === undefined ? {} : { path }),
  });
}

/** Passes a non-negative result on and throws {@link systemError} for a negative one. */
export function checkResult(result: number, syscall: string, path?: string): number {
  if (result < 0) throw systemError(result, syscall, path);
  return result;
}
