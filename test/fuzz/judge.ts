/** Tells a proper answer from a fault: every call ends in a typed error or in a value of the documented kind. */
import { inspect } from "node:util";
import { ERROR_CODES, ShmkitError } from "shmkit";
import { takeLargest } from "./allocation-watch.js";

/** No call may ask for more: the regions of the fuzzer are smaller, and so is everything in them. */
const MOST = 16 * 2 ** 20;
/** Processor time, so that a busy machine is no reason; the waits of all calls are milliseconds. */
const MOST_CPU_MS = 5000;

/** What a thread found. */
export interface Findings {
  readonly calls: number;
  /** How calls ended: by error code, or "value". */
  readonly endings: Readonly<Record<string, number>>;
  readonly faults: readonly string[];
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

export class Judge {
  readonly faults: string[] = [];
  private calls = 0;
  private readonly endings: Record<string, number> = {};

  get findings(): Findings {
    return { calls: this.calls, endings: this.endings, faults: this.faults };
  }

  /** Makes a call; `isValid` looks at what it answers. */
  async call(label: string, act: () => unknown, isValid: (value: never) => boolean = () => true): Promise<void> {
    takeLargest();
    const before = process.cpuUsage();
    let ending = "untyped";
    try {
      const value = (await act()) as never;
      ending = "value";
      if (!isValid(value)) this.faults.push(`${label}: answered ${inspect(value)}`);
    } catch (error) {
      if (error instanceof ShmkitError && Object.hasOwn(ERROR_CODES, error.code)) ending = error.code;
      else this.faults.push(`${label}: ${describe(error)}`);
    }
    const { user, system } = process.cpuUsage(before);
    if (user + system > MOST_CPU_MS * 1000)
      this.faults.push(`${label}: took ${(user + system) / 1000} ms of processor`);
    const largest = takeLargest();
    if (largest > MOST) this.faults.push(`${label}: asked for ${largest} bytes or elements at once`);
    this.calls++;
    this.endings[ending] = (this.endings[ending] ?? 0) + 1;
  }

  /** Adds what another thread found. */
  include(others: Findings): void {
    this.faults.push(...others.faults);
    this.calls += others.calls;
    for (const [ending, count] of Object.entries(others.endings))
      this.endings[ending] = (this.endings[ending] ?? 0) + count;
  }
}
