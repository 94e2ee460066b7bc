/** Runs one of the parts that need the instrumented build; what it says goes to its parent. */
import { interleavings, weakMemoryPart } from "./interleavings.js";
import type { Outcome, PartOptions } from "./part.js";
import { exploreSteps } from "./steps.js";

const PARTS: Readonly<Record<string, (options: PartOptions) => Outcome>> = {
  steps: exploreSteps,
  interleavings,
  weakMemory: weakMemoryPart,
};

/** What goes to the parent. */
export type FromPart = { readonly progress: string } | { readonly outcome: Outcome };

const [name, seconds, seed] = process.argv.slice(2);
const send = (message: FromPart): void => void process.send!(message);
const onProgress = (progress: string): void => send({ progress });
send({ outcome: PARTS[name]({ seconds: Number(seconds), seed: Number(seed), onProgress }) });
process.disconnect();
