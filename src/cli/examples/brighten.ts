import { int16, MemoryMappedFile, struct } from "#shmkit";
import { formatCount } from "../figures.js";

/** A pixel of .NET's example of memory-mapped files. */
const MyColor = struct({ red: int16, green: int16, blue: int16, alpha: int16 }, { name: "MyColor" });
const BRIGHTEST = 32767;

/** Adds to every channel of the pixels in a part of a file that may be larger than memory; other processes may map other parts. */
export function brighten(
  file: string,
  amount: number,
  offset: number,
  lengthBytes: number,
  print: (line: string) => unknown,
): unknown {
  const map = MemoryMappedFile.createFromFileSync(file);
  const view = map.createViewAccessor(offset, lengthBytes);
  const pixels = view.cursor(MyColor);
  const brighter = (channel: number): number => Math.min(BRIGHTEST, channel + amount);
  for (let i = 0; i < pixels.length; i++) {
    const pixel = pixels.at(i);
    pixel.red = brighter(pixel.red);
    pixel.green = brighter(pixel.green);
    pixel.blue = brighter(pixel.blue);
    pixel.alpha = brighter(pixel.alpha);
  }
  // Nothing is checked in the loop: was the file there all the time?
  view.check();
  view.close();
  map.close();
  return print(`brightened ${formatCount(pixels.length)} pixels by ${amount}`);
}
