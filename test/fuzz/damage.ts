/** Damage: hostile values in the fields of structures, flipped bits, random bytes. */
import { TYPE_BYTES } from "#src/layout/descriptor.js";
import type { Random } from "../helpers/process-random.js";
import type { Place } from "./places.js";

/** One piece of damage: what is written where. */
export interface Hit {
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** Which structure it is in. */
  readonly struct: string;
  /** For people: `pipe.ringUnits 512 -> 0`. */
  readonly text: string;
}

const LIMITS = [
  0, 1, 2, 0xff, 0x100, 0xffff, 0x10000, 0xfffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff,
] as const;

/** A word that somebody might fall for: a limit, a neighbour of what is there, another bit, anything. */
function hostileWord(old: number, random: Random): number {
  switch (random.below(5)) {
    case 0:
      return old ^ (1 << random.below(32));
    case 1:
      return old + random.of([-1, 1, -2, 2, 8, 4096]);
    case 2:
      return random.below(2048);
    case 3:
      return random.below(2 ** 32);
    default:
      return random.of(LIMITS);
  }
}

/** Damages one field of one structure. */
function hitField(view: DataView, { struct, offset }: Place, random: Random): Hit {
  const field = random.of(struct.fields);
  const element = random.below(field.count);
  const width = TYPE_BYTES[field.type];
  const at = offset + field.offset + element * width;
  const bytes = new Uint8Array(width);
  const name = `${struct.name}.${field.name}${field.count > 1 ? `[${element}]` : ""}`;
  if (width === 1) {
    bytes[0] = random.below(256);
    return { offset: at, bytes, struct: struct.name, text: `${name} -> ${bytes[0]}` };
  }
  const words = new DataView(bytes.buffer);
  for (let word = 0; word < width; word += 4)
    words.setUint32(word, hostileWord(view.getUint32(at + word, true), random) >>> 0, true);
  if (field.type === "f64" && random.below(2) === 0)
    words.setFloat64(0, random.of([Number.NaN, -1, 0.5, 2 ** 53, 2 ** 70, -Infinity, Infinity]), true);
  return { offset: at, bytes, struct: struct.name, text: `${name} -> 0x${Buffer.from(bytes).toString("hex")}` };
}

/** Random bytes over a structure and what follows it. */
function hitBytes(view: DataView, { struct, offset }: Place, random: Random): Hit {
  const at = offset + random.below(struct.sizeBytes);
  const length = Math.min(1 + random.below(random.of([8, 64, 5000])), view.byteLength - at);
  const fill = random.below(3) === 0 ? random.of([0, 0xff]) : undefined;
  const bytes = Uint8Array.from({ length }, () => fill ?? random.below(256));
  return { offset: at, bytes, struct: struct.name, text: `${length} bytes from ${struct.name} + ${at - offset}` };
}

/** The next piece of damage; structures of every sort are equally likely, however many there are of each. */
export function nextHit(view: DataView, places: readonly Place[], random: Random): Hit {
  const sorts = [...new Set(places.map(({ struct }) => struct))];
  const sort = random.of(sorts);
  const place = random.of(places.filter(({ struct }) => struct === sort));
  return random.below(8) === 0 ? hitBytes(view, place, random) : hitField(view, place, random);
}
