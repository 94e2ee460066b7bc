/** Who has shared memory mapped or open, as /proc says it: proc_pid_maps(5), proc_pid_fd(5). */
import { readdirSync, readFileSync, readlinkSync, statSync, type Stats } from "node:fs";
import { basename } from "node:path";

export interface Holder {
  readonly pid: number;
  /** Its name, as comm(5) has it. */
  readonly command: string;
  readonly mapped: boolean;
  readonly open: boolean;
}

/** A file that may be held. */
export interface HeldFile {
  readonly path: string;
  /** Which file it is, see {@link fileKey}. */
  readonly key: string;
}

export interface Holders {
  ofFile(file: HeldFile): readonly Holder[];
  /** Of a System V segment, by its identifier. */
  ofSegment(id: number): readonly Holder[];
  /** Processes that this user may not look into. */
  readonly unreadable: number;
}

/** Which file it is, as it also stands in /proc/PID/maps: device and inode. */
export function fileKey({ dev, ino }: Pick<Stats, "dev" | "ino">): string {
  // makedev(3): the parts of a device's number.
  const major = Math.floor(dev / 256) % 4096;
  const minor = (dev % 256) + Math.floor(dev / 2 ** 20) * 256;
  return deviceKey(major, minor, ino);
}

const deviceKey = (major: number, minor: number, inode: number): string => `${major}:${minor}:${inode}`;

/** Device, inode, and what the kernel names a System V segment, whose inode is its identifier. */
const MAPPING = /^\S+ \S+ \S+ ([0-9a-f]+):([0-9a-f]+) (\d+) +(\/SYSV[0-9a-f]{8}\b)?/gm;

const segmentKey = (id: number | string): string => `segment ${id}`;

function mappedIn(maps: string): Set<string> {
  const keys = new Set<string>();
  for (const [, major, minor, inode, segment] of maps.matchAll(MAPPING)) {
    if (segment !== undefined) keys.add(segmentKey(inode));
    else if (inode !== "0") keys.add(deviceKey(Number.parseInt(major, 16), Number.parseInt(minor, 16), Number(inode)));
  }
  return keys;
}

/**
 * What links to an open file may end in: its name, or, for who made it without one and named it then, that of open(2) for
 * O_TMPFILE, which the link keeps.
 */
const namesOf = ({ path, key }: HeldFile): string[] => [basename(path), `#${key.slice(key.lastIndexOf(":") + 1)}`];

/** Only files of these names are asked for what they are: one on a network may not answer. */
function openIn(pid: number, names: ReadonlySet<string>): Set<string> {
  const keys = new Set<string>();
  const folder = `/proc/${pid}/fd`;
  for (const descriptor of readdirSync(folder)) {
    try {
      const target = readlinkSync(`${folder}/${descriptor}`).replace(/ \(deleted\)$/, "");
      if (names.has(basename(target))) keys.add(fileKey(statSync(`${folder}/${descriptor}`)));
    } catch (error) {
      if (isRefused(error)) throw error;
      // It has been closed meanwhile.
    }
  }
  return keys;
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;
const isRefused = (error: unknown): boolean => ["EACCES", "EPERM"].includes(codeOf(error) ?? "");

/** One look at all processes but this one. */
export function lookAtProcesses(files: readonly HeldFile[]): Holders {
  const names = new Set(files.flatMap(namesOf));
  const holders = new Map<string, Holder[]>();
  const ownIpc = readlinkSync("/proc/self/ns/ipc");
  let unreadable = 0;
  for (const pid of readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)) {
    if (pid === process.pid) continue;
    try {
      const mapped = mappedIn(readFileSync(`/proc/${pid}/maps`, "latin1"));
      const open = openIn(pid, names);
      const isOfOwnIpc = readlinkSync(`/proc/${pid}/ns/ipc`) === ownIpc;
      const command = readFileSync(`/proc/${pid}/comm`, "utf8").trimEnd();
      for (const key of new Set([...mapped, ...open])) {
        if (key.startsWith(segmentKey("")) && !isOfOwnIpc) continue;
        const known = holders.get(key) ?? [];
        known.push({ pid, command, mapped: mapped.has(key), open: open.has(key) });
        holders.set(key, known);
      }
    } catch (error) {
      if (isRefused(error)) unreadable += 1;
      // ENOENT, ESRCH: it has ended meanwhile.
      else if (!["ENOENT", "ESRCH"].includes(codeOf(error) ?? "")) throw error;
    }
  }
  return {
    ofFile: ({ key }) => holders.get(key) ?? [],
    ofSegment: (id) => holders.get(segmentKey(id)) ?? [],
    unreadable,
  };
}

/** Whether there is a process of this number: not who it is, since numbers are used again. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) !== "ESRCH";
  }
}
