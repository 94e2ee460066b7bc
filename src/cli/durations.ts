import { usageError } from "./exit-codes.js";

const UNITS_MS: Readonly<Record<string, number>> = { "": 1000, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds of `500ms`, `5s`, `2m`, `1h`; a bare number means seconds, as for timeout(1). @throws ERR_USAGE */
export function durationMs(text: string, option: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|)$/.exec(text);
  if (match === null) throw usageError(`${option} must be a time such as 500ms, 5s or 2m, not ${JSON.stringify(text)}`);
  return Number(match[1]) * UNITS_MS[match[2]];
}

/** A time for people: `3 s`, `12 min`, `2 h`, `5 d`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  const steps: [string, number][] = [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["min", 60_000],
    ["s", 1000],
  ];
  const [unit, size] = steps.find(([, step]) => ms >= step)!;
  return `${Math.floor(ms / size)} ${unit}`;
}

/** How long ago something was, for people; a damaged region may say anything. */
export function formatAge(date: Date): string {
  const ms = Date.now() - date.getTime();
  return Number.isNaN(ms) ? "at an impossible time" : `${formatDuration(ms)} ago`;
}
