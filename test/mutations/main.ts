/**
 * `node build/test/mutations/main.js`: tries mutations out and prints what kills each. `--only REGEX` of their places,
 * `--probes REGEX` of what looks for them, `--seconds N` (3600), `--seed S`, `--stages N` of the five (cheap ones first), `--list` to see what there is.
 */
import { parseArgs } from "node:util";
import { campaign, judge } from "./campaign.js";
import { allSites } from "./sites.js";

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    probes: { type: "string", default: "" },
    seconds: { type: "string", default: "3600" },
    seed: { type: "string", default: "1" },
    stages: { type: "string", default: "5" },
    list: { type: "boolean", default: false },
  },
});
if (values.list) for (const { key } of allSites()) console.log(key);
else {
  const { of, verdicts } = await campaign({
    seconds: Number(values.seconds),
    seed: Number(values.seed),
    only: new RegExp(values.only),
    probes: values.probes,
    stages: Number(values.stages),
    onVerdict: ({ site, kill, passed, isOpen }) =>
      console.log(
        kill === undefined
          ? `${isOpen ? "open     " : "survives "} ${site.place} (${passed} probes)\n          ${site.key}`
          : `killed    ${site.place}\n          by ${kill.by}: ${kill.message}`,
      ),
  });
  const { survived, argued, open, wrong } = judge(verdicts);
  for (const text of wrong) console.log(`WRONG     ${text}`);
  console.log(
    `${verdicts.length} of ${of} mutations: ${survived.length} survived, ${argued.length} argued, ${open.length} open`,
  );
}
