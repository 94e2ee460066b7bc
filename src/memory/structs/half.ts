/** IEEE 754 binary16, for which Node 20 has no accessors. */

/** What rounds to infinity from here on: half-way between the largest half and the next step. */
const OVERFLOW = 65520;
const SMALLEST_NORMAL = 2 ** -14;
const STEP_OF_SUBNORMALS = 2 ** -24;

/** The nearest whole number, of two the even one: the standard's rounding. */
function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** The 16 bits of the half nearest to a number. */
export function halfBits(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (size >= OVERFLOW) return sign | 0x7c00;
  if (size < SMALLEST_NORMAL) return sign | roundToEven(size / STEP_OF_SUBNORMALS);
  let exponent = Math.floor(Math.log2(size));
  // The logarithm is rounded.
  if (size < 2 ** exponent) exponent--;
  else if (size >= 2 ** (exponent + 1)) exponent++;
  // A mantissa that rounds up to 2048 carries into the exponent, as it should.
  return sign | (((exponent + 14) << 10) + roundToEven(size / 2 ** (exponent - 10)));
}

/** The number that 16 bits stand for. */
export function halfValue(bits: number): number {
  const sign = (bits & 0x8000) === 0 ? 1 : -1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * mantissa * STEP_OF_SUBNORMALS;
  return sign * (1024 + mantissa) * 2 ** (exponent - 25);
}
