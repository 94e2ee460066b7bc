/** The process that makes random sequences of system calls, so that its parent can tell when it crashes or hangs. */
import { writeSync } from "node:fs";
import type { CaseReport } from "./victim-main.js";
import { Sequence } from "./system-sequence.js";

process.on("message", ({ seed }: { seed: number }) => {
  void (async () => {
    const hits: string[] = [];
    const sequence = new Sequence(seed, (label) => {
      hits.push(label);
      // Past the event loop: it is what is known of a process that crashed.
      writeSync(2, `${label}; `);
    });
    const { calls, endings, made, faults } = await sequence.run(true);
    process.send!({ seed, findings: { calls, endings, faults }, structures: made, hits } satisfies CaseReport);
  })();
});
// Its end, with everything that is still mapped and locked, is a part of it.
process.on("disconnect", () => process.exit(0));
