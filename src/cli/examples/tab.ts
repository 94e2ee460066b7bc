/** What PicklingTools' example programs exchange: a Tab with two integers of any size. */
export interface Tab {
  readonly sequence_number: number;
  readonly bi: bigint;
  readonly bu: bigint;
  /** Added on the way by middleside. */
  readonly my_sequence?: number;
}

export const TABS = 100;
