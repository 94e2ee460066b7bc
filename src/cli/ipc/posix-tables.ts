import { printable } from "../colours.js";
import { table } from "../figures.js";
import type { PosixObject, PosixObjects } from "./posix-objects.js";
import { humanSize, title, type Manner } from "./system-v-tables.js";

type Row = readonly [object: PosixObject, cells: readonly (string | number)[]];

/** A table of objects with a name, with what stands below each of them. */
function section(
  heading: string,
  columns: readonly string[],
  rows: readonly Row[],
  { names }: Manner,
  below: (object: PosixObject) => readonly string[],
): string[] {
  const cells = rows.map(([object, own]) => [
    names.user(object.uid),
    (object.mode & 0o777).toString(8),
    ...own.map(String),
    printable(object.name),
  ]);
  const [headings, ...lines] = table([["owner", "perms", ...columns, "name"], ...cells]);
  return [title(heading), headings, ...lines.flatMap((line, at) => [line, ...below(rows[at][0])])];
}

const UNKNOWN = "?";

/** What is not System V's: each kind as a section. */
export function posixText(
  { segments, semaphores, queues, regions }: PosixObjects,
  kinds: { readonly posix: boolean; readonly regions: boolean },
  manner: Manner,
  below: (object: PosixObject) => readonly string[],
): string {
  const size = (bytes: number): string | number => (manner.units === "human" ? humanSize(bytes) : bytes);
  const bytes = manner.units === "human" ? "size" : "bytes";
  const draw = (heading: string, columns: readonly string[], rows: readonly Row[]): string[] =>
    section(heading, columns, rows, manner, below);
  const sections: string[][] = [];
  if (kinds.posix)
    sections.push(
      draw(
        "POSIX Shared Memory",
        [bytes],
        segments.map((segment) => [segment, [size(segment.sizeBytes)]]),
      ),
      draw(
        "POSIX Semaphores",
        ["value"],
        semaphores.map((semaphore) => [semaphore, [semaphore.value ?? UNKNOWN]]),
      ),
      queues === undefined
        ? [title("POSIX Message Queues"), NOT_MOUNTED]
        : draw(
            "POSIX Message Queues",
            [`used-${bytes}`, "messages", "of", `message-${bytes}`],
            queues.map((queue) => [
              queue,
              queue.state === undefined
                ? Array<string>(4).fill(UNKNOWN)
                : [
                    size(queue.state.usedBytes),
                    queue.state.messages,
                    queue.state.mostMessages,
                    size(queue.state.mostBytes),
                  ],
            ]),
          ),
    );
  if (kinds.regions)
    sections.push(
      draw(
        "shmkit Regions",
        [bytes, "alive", "dead", "lifetime"],
        regions.map((region) => [
          region,
          [
            size(region.sizeBytes),
            region.members?.alive ?? UNKNOWN,
            region.members?.dead ?? UNKNOWN,
            region.lifetime ?? UNKNOWN,
          ],
        ]),
      ),
    );
  return sections.map((lines) => `${lines.join("\n")}\n\n`).join("");
}

const NOT_MOUNTED = "not shown: their file system is not mounted (mount -t mqueue none /dev/mqueue)";
