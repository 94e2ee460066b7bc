/**
 * A process that tries mutations out, one after the other, with the library loaded once: `machine` with interleavings and
 * weak memory, `steps` at every step; of these the probes whose names match the second argument. They are told apart since each replaces the system under the library in its way.
 */
import { messageOf, type Bound, type Kill, type Probe } from "./killers.js";
import { isWeakening } from "./sites.js";
import { choose } from "./switch.js";

/** A mutation to be tried. */
export interface Trial {
  readonly key: string;
  readonly bound: Bound;
}

/** Sites that each probe passes, by the probe's name. */
export type Survey = Readonly<
  Record<string, { readonly furnishing: readonly string[]; readonly acting: readonly string[] }>
>;

export type ToWorker = { readonly survey: Survey | null } | Trial;
/** `probe`: begins now, so that whoever watches knows where it hangs. */
export type FromWorker =
  | { readonly ready: true }
  | { readonly survey: Survey }
  | { readonly probe: string }
  | { readonly kill: Kill | undefined; readonly passed: number };

const [, , kind, names = ""] = process.argv;
const isMachine = kind === "machine";

async function probesOf(): Promise<readonly Probe[]> {
  if (!isMachine) return (await import("./step-probes.js")).STEPS;
  const { INTERLEAVINGS, WEAK_MEMORY } = await import("./machine-probes.js");
  return [...INTERLEAVINGS, ...WEAK_MEMORY];
}

const probes = (await probesOf()).filter(({ name }) => new RegExp(names).test(name));
const send = (message: FromWorker): void => void process.send!(message);
let survey: Survey = {};

function surveyAll(): Survey {
  const entries = probes.map((probe) => {
    send({ probe: probe.name });
    const { furnishing, acting } = probe.survey();
    return [probe.name, { furnishing: [...furnishing], acting: [...acting] }] as const;
  });
  return Object.fromEntries(entries);
}

const isWeak = ({ name }: Probe): boolean => name.startsWith("weak memory");

/** Those who pass a site: first while their members act, and a few whose world it furnishes. */
function probesFor(key: string): Probe[] {
  const isBarrier = isWeakening(key);
  const fit = isMachine ? probes.filter((probe) => !isBarrier || isWeak(probe)) : isBarrier ? [] : probes;
  const acting = fit.filter(({ name }) => survey[name]?.acting.includes(key) === true);
  const furnishing = fit.filter((probe) => !acting.includes(probe) && survey[probe.name]?.furnishing.includes(key));
  return [...acting, ...(isBarrier ? [] : furnishing.slice(0, 3))];
}

/** At most so many, from everywhere among them. */
function some<T>(all: readonly T[], most: number): readonly T[] {
  return all.length <= most
    ? all
    : all.filter((_, i) => Math.floor((i * most) / all.length) !== Math.floor(((i + 1) * most) / all.length));
}

function tryOut({ key, bound }: Trial): void {
  const fit = some(probesFor(key), bound.probes);
  choose(key);
  try {
    for (const probe of fit) {
      send({ probe: probe.name });
      let message: string | undefined;
      try {
        message = probe.run(bound);
      } catch (error) {
        message = messageOf(error);
      }
      if (message === undefined) continue;
      send({ kill: { by: probe.name, message }, passed: fit.length });
      return;
    }
    send({ kill: undefined, passed: fit.length });
  } finally {
    choose("");
  }
}

process.on("message", (message: ToWorker) => {
  if ("survey" in message) {
    survey = message.survey ?? surveyAll();
    send({ survey });
    return;
  }
  tryOut(message);
});
// What comes before somebody listens is lost.
send({ ready: true });
