import { statfsSync } from "node:fs";
import { constants } from "node:os";
import { ShmkitError } from "../base/errors.js";
import { checkResult } from "../base/system-errors.js";

/**
 * File systems whose files other machines, or processes that answer for them, change behind the system's back: what is
 * mapped is not the same memory for everybody, and locks may hold on one machine only. By `f_type`, see statfs(2).
 */
const NOT_LOCAL: Readonly<Record<number, string>> = {
  0x6969: "NFS",
  0x65735546: "FUSE",
  0x517b: "SMB",
  0xff534d42: "CIFS",
  0xfe534d42: "SMB",
  0x01021997: "9p",
  0x00c36400: "Ceph",
  0x5346414f: "AFS",
  0x73757245: "Coda",
  0x0bd00bd0: "Lustre",
  0x01161970: "GFS2",
  0x7461636f: "OCFS2",
  0x47504653: "GPFS",
  0x786f4256: "a folder of the host (vboxsf)",
};

/** Undefined for one that may hold regions. */
export const foreignFileSystem = (type: number): string | undefined => NOT_LOCAL[type >>> 0];

const refused = (path: string, why: string, errno?: number): ShmkitError =>
  new ShmkitError(
    "ERR_FILE_SYSTEM",
    `${path}: ${why}; put the region on a local file system such as ext4, XFS or tmpfs`,
    {
      path,
      ...(errno === undefined ? {} : { errno }),
    },
  );

/** @throws ERR_FILE_SYSTEM */
export function checkFileSystem(descriptor: number, path: string): void {
  const name = foreignFileSystem(statfsSync(`/proc/self/fd/${descriptor}`).type);
  if (name !== undefined) throw refused(path, `regions cannot be on ${name}, which is not this machine's alone`);
}

/** Passes on what giving a file its name answered. @throws ERR_FILE_SYSTEM where files have one name only, as on FAT */
export function checkLinked(result: number, path: string): void {
  if (-result === constants.errno.EPERM || -result === constants.errno.EOPNOTSUPP)
    throw refused(path, "its file system gives no names to files that are complete (link)", result);
  checkResult(result, "link", path);
}

/** @throws ERR_FILE_SYSTEM when a lock of a pinned description is gone with its descriptor, as on overlayfs */
export function checkPinHolds(holds: boolean, path: string): void {
  if (!holds)
    throw refused(
      path,
      "locks do not stay with mapped memory there, as on overlayfs, so nobody would know who is alive",
    );
}

/** Passes on what backing a range answered. @throws ERR_FILE_SYSTEM where files cannot be backed ahead, ERR_NO_SPACE, ERR_SYSTEM */
export function checkBacked(result: number, path: string): void {
  if (-result === constants.errno.EOPNOTSUPP)
    throw refused(path, "its file system cannot back a file ahead of its use (fallocate)", result);
  checkResult(result, "fallocate", path);
}
