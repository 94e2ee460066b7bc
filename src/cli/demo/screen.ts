import { colours } from "../colours.js";
import type { Terminal } from "../terminal.js";

/** What the demo tells its story on. */
export type Screen = Pick<Terminal, "colours" | "line" | "write" | "status" | "clearStatus">;

/** Tells nobody: where only the figures are wanted. */
export const SILENT: Screen = {
  colours: colours(false),
  line: () => Promise.resolve(),
  write: () => Promise.resolve(),
  status: () => undefined,
  clearStatus: () => undefined,
};
