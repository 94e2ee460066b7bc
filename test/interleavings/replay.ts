/**
 * Runs one schedule by its seed: `SCENARIO:` (or `SCENARIO~` with weak memory) and then who runs, one letter per member,
 * in the order of the scenario. `a` runs until it is done or sleeps, `a17` until it has made 17 accesses, `a!` dies, `a?` has its deadline pass, `a17=5` reads next what was there after 5 changes. `{0,2}` after it: these of the stores that wait
 * become visible, `{*}` all.
 */
import type { Thread } from "./machine.js";
import type { Stage } from "./stage.js";
import { letterOf } from "./explorer.js";

const TOKEN = /([a-z])(\d*)(!|\?|=-?\d+)?(?:\{([\d,*]*)\})?/y;

/** What happened, line by line; the last line says what is wrong with it, if anything is. */
export function replay(
  stage: Stage,
  schedule: string,
  isWeak: boolean,
): { trace: string[]; violation: string | undefined } {
  const { machine } = stage.world;
  const trace: string[] = [];
  const expired: Thread[] = [];
  stage.world.enter();
  machine.isWeak = isWeak;
  let stopAt = -1;
  machine.observer = {
    access: (thread) => {
      if (thread.length === stopAt) machine.unwind("cut");
    },
    staleRead: () => undefined,
  };
  machine.trace = (thread, text) => trace.push(`${letterOf(thread)} ${String(thread.length).padStart(4)}  ${text}`);
  const run = (thread: Thread): void => void machine.run(thread);
  try {
    TOKEN.lastIndex = 0;
    while (TOKEN.lastIndex < schedule.length) {
      const at = TOKEN.lastIndex;
      const match = TOKEN.exec(schedule);
      if (match === null) throw new Error(`the seed makes no sense at ${schedule.slice(at)}`);
      const [, letter, count, what, visible] = match;
      const thread = machine.threads[letter.charCodeAt(0) - 97];
      if (thread === undefined) throw new Error(`there is no member ${letter}`);
      const isReady = machine.isReady(thread);
      stopAt = count === "" ? -1 : Number(count);
      if (what === "?") {
        // Forced when nobody else could have gone on.
        if (!machine.threads.some((other) => machine.isReady(other))) expired.push(thread);
        machine.expire(thread);
        trace.push(`${letter}       its deadline passes`);
      } else if (visible !== "*" && what !== "!" && (stopAt < 0 ? isReady : thread.length < stopAt)) run(thread);
      if (what === "!") {
        trace.push(`${letter}       dies`);
        machine.kill(thread);
      }
      if (what?.startsWith("=") === true) thread.forced = Number(what.slice(1));
      if (visible !== undefined) {
        const set = visible === "*" ? undefined : new Set(visible === "" ? [] : visible.split(",").map(Number));
        machine.flush(thread, (_, position) => set?.has(position) ?? true);
      }
    }
    for (const thread of machine.threads) machine.flush(thread, () => true);
    stage.judge(expired);
    return { trace, violation: undefined };
  } catch (error) {
    return { trace, violation: error instanceof Error ? error.message : String(error) };
  } finally {
    machine.observer = undefined;
    machine.trace = undefined;
  }
}
