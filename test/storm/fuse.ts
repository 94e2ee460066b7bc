/**
 * Death at a chosen step: in the instrumented build a member counts its accesses to shared words, and at the one that
 * was chosen it sends itself SIGKILL, before the access, so that the kernel ends it exactly there.
 */
import { native } from "#src/native/addon.js";
import { adopt, Agent } from "../instruments/agent.js";
import type { Fuse, Step } from "./plan.js";

export class LitFuse {
  private readonly agent = new Agent("storm");
  private occurrences = 0;
  private isLit = false;

  /** @param dying called last of all */
  constructor(
    private readonly fuse: Fuse,
    private readonly dying: () => void,
  ) {
    const map = native.map.bind(native);
    Object.assign(native, {
      map: (...args: Parameters<typeof map>): ReturnType<typeof map> => {
        const mapping = map(...args);
        if (typeof mapping === "number") return mapping;
        adopt(mapping.buffer, this.agent);
        adopt(mapping.status, this.agent);
        return mapping;
      },
    });
  }

  /** A step begins. */
  begin(step: Step): void {
    if (this.isLit) return;
    const isChosen = step === this.fuse.step && ++this.occurrences === this.fuse.occurrence;
    this.isLit = isChosen;
    this.agent.arm(isChosen ? this.fuse.access : undefined);
    this.agent.onStop = () => {
      this.dying();
      process.kill(process.pid, "SIGKILL");
    };
  }
}
