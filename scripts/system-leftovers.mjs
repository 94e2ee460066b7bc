/** What a program left of the system's objects that are no files, as far as the system says whose they are. */
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

const QUEUES = "/dev/mqueue";

/** A table of /proc/sysvipc: a line of titles, then numbers. */
function tableOf(kind) {
  const path = `/proc/sysvipc/${kind}`;
  if (!existsSync(path)) return [];
  const [titles, ...lines] = readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => line.trim().split(/\s+/));
  return lines.map((fields) => Object.fromEntries(titles.map((title, i) => [title, Number(fields[i])])));
}

/** The segments and queues of System V that are there: what they are called, and the processes whose they are. */
function objectsOfSystemV() {
  const segments = tableOf("shm").map(({ shmid, cpid }) => ({ name: `segment ${shmid} of System V`, pids: [cpid] }));
  const queues = tableOf("msg").map(({ msqid, lspid, lrpid }) => ({
    name: `message queue ${msqid} of System V`,
    pids: [lspid, lrpid],
  }));
  return [...segments, ...queues];
}

/** What there is of System V before a program starts: none of it is what it leaves, although an earlier process had its id. */
export const thereOfSystemV = () => new Set(objectsOfSystemV().map(({ name }) => name));

/**
 * Segments of System V that a process has made, and queues that it was the last to send to or to receive from, of those that
 * were not there `before`. Of sets of semaphores the system does not say who made them, of objects that its children made not
 * whose children they were: what came meanwhile may as well be somebody else's.
 */
export const leftOfSystemV = (pid, before) =>
  objectsOfSystemV()
    .filter(({ name, pids }) => pids.includes(pid) && !before.has(name))
    .map(({ name }) => name);

/** Takes away the POSIX message queues that have a token in their names, where the system shows them as files; answers them. */
export function takeQueues(token) {
  if (!existsSync(QUEUES)) return [];
  const left = readdirSync(QUEUES).filter((name) => name.includes(token));
  for (const name of left) rmSync(join(QUEUES, name), { force: true });
  return left.map((name) => `message queue /${name}`);
}
