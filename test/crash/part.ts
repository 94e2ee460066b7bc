/** A part of `npm run crash`: one way to look for a death that hurts. */

export interface PartOptions {
  /** How long, about; a part that has to do something whole takes as long as that needs. */
  readonly seconds: number;
  readonly seed: number;
  readonly onProgress: (text: string) => void;
}

/** What a part came to. */
export interface Outcome {
  /** Its keys in the report. */
  readonly json: Readonly<Record<string, unknown>>;
  /** Lines for people. */
  readonly summary: readonly string[];
  /** What does not hold, each with what shows it again. */
  readonly violations: readonly string[];
}
