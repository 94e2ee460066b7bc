/** Mutations, as a part of `npm run crash`. */
import { campaign, judge } from "../mutations/campaign.js";
import type { Outcome, PartOptions } from "./part.js";

/** Tries as many mutations as there is time for. */
export async function mutationsPart({
  seconds,
  seed,
  signal,
  onProgress,
}: PartOptions & { signal: AbortSignal }): Promise<Outcome> {
  let tried = 0;
  const { of, verdicts } = await campaign({
    seconds,
    seed,
    signal,
    onVerdict: ({ site }) => onProgress(`${++tried} tried: ${site.place}`),
  });
  const { survived, argued, open, wrong } = judge(verdicts);
  const sites = verdicts.length - open.length;
  const killed = sites - survived.length - argued.length;
  return {
    json: {
      mutations: {
        sites,
        of,
        killed,
        argued: argued.length,
        open: open.length,
        survived: survived.map(({ site }) => site.place),
      },
    },
    summary: [
      `mutations: ${sites === of ? `all ${of}` : `${sites} of ${of}, by chance`}: ${killed} killed, ` +
        `${argued.length} without any effect to be seen, ${survived.length} survived; ${open.length} not finished`,
      ...survived.map(({ site, passed }) => `  survives, though ${passed} probes pass it: ${site.place}`),
    ],
    // What nobody notices is a hole in the proof, and nothing that does not hold.
    violations: wrong,
  };
}
