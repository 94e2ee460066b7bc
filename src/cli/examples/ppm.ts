import { MemoryMappedFile, struct, uint8, type Cursor, type LiveRecord, type StructOf } from "#shmkit";
import { CommandError } from "../exit-codes.js";

const Pixel = struct({ red: uint8, green: uint8, blue: uint8 }, { name: "Pixel" });

/** Pixels in a file, one after another: reading and writing one is reading and writing the file. */
export type Pixels = Cursor<StructOf<typeof Pixel>, LiveRecord<typeof Pixel.fields>>;

/** What is mapped at a time: a picture may be larger than memory, and than any view. */
const WINDOW_BYTES = 4 * 2 ** 20;
const LONGEST_HEADER = 64;

/** A picture in a file that is mapped: PPM (P6), a line of text with its size, and then nothing but pixels. */
export class Ppm {
  readonly width: number;
  readonly height: number;
  private readonly map: MemoryMappedFile;
  /** Where the pixels begin. */
  private readonly begin: number;

  private constructor(map: MemoryMappedFile, width: number, height: number, begin: number) {
    this.map = map;
    this.width = width;
    this.height = height;
    this.begin = begin;
  }

  /** Makes a black one, in place of what the file has. */
  static create(path: string, width: number, height: number): Ppm {
    const header = Buffer.from(`P6 ${width} ${height} 255\n`);
    const capacity = header.length + width * height * Pixel.size;
    const map = MemoryMappedFile.createFromFileSync(path, { mode: "create", capacity });
    const view = map.createViewAccessor(0, header.length);
    view.writeBytes(0, header);
    view.close();
    return new Ppm(map, width, height, header.length);
  }

  /** Opens one that {@link create} has made. */
  static open(path: string): Ppm {
    const map = MemoryMappedFile.createFromFileSync(path);
    const view = map.createViewAccessor(0, Math.min(map.capacity, LONGEST_HEADER), "read");
    const header = /^P6 (\d+) (\d+) 255\n/.exec(Buffer.from(view.bytes).toString("latin1"));
    view.close();
    if (header === null) throw new CommandError("ERR_USAGE", `${path} is no picture of this program`, 2);
    return new Ppm(map, Number(header[1]), Number(header[2]), header[0].length);
  }

  /** So many rows from one on, in parts: the first row of each, and its pixels. */
  *rows(first: number, count: number): Generator<{ readonly row: number; readonly pixels: Pixels }> {
    const rowBytes = this.width * Pixel.size;
    const most = Math.max(1, Math.floor(WINDOW_BYTES / rowBytes));
    for (let row = first; row < first + count; row += most) {
      const view = this.map.createViewAccessor(
        this.begin + row * rowBytes,
        Math.min(most, first + count - row) * rowBytes,
      );
      try {
        yield { row, pixels: view.cursor(Pixel) };
        // Nothing is checked in loops over the pixels: was the file there all the time?
        view.check();
      } finally {
        view.close();
      }
    }
  }

  close(): void {
    this.map.close();
  }
}
