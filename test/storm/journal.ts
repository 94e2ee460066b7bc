/**
 * What a member wrote down of what it did, in a file of its own: written synchronously, so that it outlives a SIGKILL
 * but for the one entry that was about to be written.
 */
import { openSync, readFileSync, writeSync } from "node:fs";
import { now, OBJECTS, STEPS, type ObjectName, type Step } from "./plan.js";

const NOTES = [
  "joined",
  "begin",
  "end",
  "failed",
  "handled",
  "refused",
  "torn",
  "dying",
  "leaving",
  "left",
  "did",
  "missed",
] as const;
/**
 * `end`: it took effect and returned; `failed`: it returned without effect. `handled` and `refused`: a message within
 * `work`. `torn`: what was read is not what anybody wrote. `dying`: about to kill itself. `did`: what is done once, and what
 * it came to. `missed`: nobody woke it, though it could go on.
 */
export type Note = (typeof NOTES)[number];

export interface Entry {
  readonly note: Note;
  readonly step: Step;
  readonly object: ObjectName;
  /** Of the message concerned. */
  readonly sender: number;
  readonly sequence: number;
  /**
   * Deliveries of a lease; what is added, taken or given; how much is held; what an unlock makes final; whether a lock was abandoned; of what failed,
   * whether it was because somebody held the lock.
   */
  readonly value: number;
  readonly time: number;
}

const ENTRY_BYTES = 32;

/** The writing side. */
export class Journal {
  private readonly file: number;
  private readonly buffer = Buffer.alloc(ENTRY_BYTES);

  constructor(path: string) {
    this.file = openSync(path, "w");
  }

  write(note: Note, step: Step = "other", object: ObjectName = "marker", sender = 0, sequence = 0, value = 0): void {
    const { buffer } = this;
    buffer[0] = NOTES.indexOf(note);
    buffer[1] = STEPS.indexOf(step);
    buffer[2] = OBJECTS.indexOf(object);
    buffer.writeUInt32LE(sender, 4);
    buffer.writeUInt32LE(sequence, 8);
    buffer.writeDoubleLE(value, 16);
    buffer.writeDoubleLE(now(), 24);
    writeSync(this.file, buffer, 0, ENTRY_BYTES);
  }
}

/** What a journal holds; nothing when its member had not come to write. */
export function readJournal(path: string): Entry[] {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  return Array.from({ length: Math.floor(bytes.length / ENTRY_BYTES) }, (_, i) => {
    const entry = bytes.subarray(i * ENTRY_BYTES);
    return {
      note: NOTES[entry[0]],
      step: STEPS[entry[1]],
      object: OBJECTS[entry[2]],
      sender: entry.readUInt32LE(4),
      sequence: entry.readUInt32LE(8),
      value: entry.readDoubleLE(16),
      time: entry.readDoubleLE(24),
    };
  });
}
