/** What looks for the harm that a mutation does: the other instruments, as far as they pass its place. */

/** How long to look. */
export interface Bound {
  /** Schedules of each scenario. */
  readonly schedules: number;
  /** One of so many stops, as in `crash-explore.ts`. */
  readonly recoverySteps: number;
  /** Probes that pass the place, at most; of more, some from everywhere. */
  readonly probes: number;
}

/** What went wrong. */
export interface Kill {
  /** `interleavings pipe-1-1`, `weak memory counter`, `steps pipe send inline` */
  readonly by: string;
  readonly message: string;
}

/** One of the tests of an instrument. */
export interface Probe {
  readonly name: string;
  /** Runs until something is wrong. */
  run(bound: Bound): string | undefined;
  /** Passes what it passes while nothing is wrong; the first are those that only furnish its world. */
  survey(): { readonly furnishing: ReadonlySet<string>; readonly acting: ReadonlySet<string> };
}

export const messageOf = (error: unknown): string =>
  String((error as Error | undefined)?.message ?? error).split("\n")[0];
