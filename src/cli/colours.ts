type Paint = (text: string) => string;

/** Colours of a stream; none where it is no terminal, or where the user wants none. */
export interface Colours {
  readonly bold: Paint;
  readonly dim: Paint;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly cyan: Paint;
}

/** SGR codes (ECMA-48): what begins each, and what ends it. */
const CODES: Readonly<Record<keyof Colours, readonly [begin: number, end: number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
};

/**
 * Whether a stream gets colours: FORCE_COLOR decides as it does for Node (`0` and `false` mean no), then NO_COLOR
 * (no-color.org: not if it is empty), then whether it is a terminal that knows any.
 */
export function wantsColours(isTerminal: boolean, environment: NodeJS.ProcessEnv): boolean {
  const { FORCE_COLOR: force, NO_COLOR: none, TERM: kind } = environment;
  if (force !== undefined) return force !== "0" && force !== "false";
  return isTerminal && (none === undefined || none === "") && kind !== "dumb";
}

export function colours(wanted: boolean): Colours {
  const paint =
    ([begin, end]: readonly [number, number]): Paint =>
    (text) =>
      wanted ? `\u001b[${begin}m${text}\u001b[${end}m` : text;
  return Object.fromEntries(Object.entries(CODES).map(([name, code]) => [name, paint(code)])) as unknown as Colours;
}

// eslint-disable-next-line no-control-regex -- colours are control sequences
const SEQUENCE = /(\u001b\[\d+m)/;

/** Columns that a text takes on a terminal, colours uncounted. */
export function displayWidth(text: string): number {
  return text
    .split(SEQUENCE)
    .filter((part) => !part.startsWith("\u001b"))
    .reduce((width, part) => width + [...part].length, 0);
}

/** Cuts a line to a width, colours uncounted, which all end where they would have. */
export function clip(text: string, width: number): string {
  let left = Math.max(0, width);
  return text
    .split(SEQUENCE)
    .map((part) => {
      if (part.startsWith("\u001b")) return part;
      const kept = [...part].slice(0, left);
      left -= kept.length;
      return kept.join("");
    })
    .join("");
}

// eslint-disable-next-line no-control-regex -- what other members wrote may hold anything
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** What somebody else wrote, such as a label, harmless for a terminal: control characters as `\x1b`. */
export function printable(text: string): string {
  return text.replace(CONTROL, (character) => {
    const code = character.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code}` : `\\x${code.padStart(2, "0")}`;
  });
}
