/** Brightens some rows of a picture: other processes may work on others. */
import { endWithParent, hasParent, leaveParent } from "../demo/parent.js";
import { Ppm } from "./ppm.js";

const BRIGHTEST = 255;

const [path, ...numbers] = process.argv.slice(2);
const [first, count, amount] = numbers.map(Number);
endWithParent();
const brighter = (channel: number): number => Math.min(BRIGHTEST, channel + amount);
const picture = Ppm.open(path);
for (const { pixels } of picture.rows(first, count)) {
  for (let i = 0; i < pixels.length; i++) {
    const pixel = pixels.at(i);
    pixel.red = brighter(pixel.red);
    pixel.green = brighter(pixel.green);
    pixel.blue = brighter(pixel.blue);
  }
  if (!hasParent()) process.exit(1);
}
picture.close();
leaveParent();
