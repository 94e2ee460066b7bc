import { formatBytes } from "../../base/sizes.js";
import { Region, type RegionInfo } from "#shmkit";
import type { Command, Invocation } from "../command.js";
import { toJson } from "../json.js";
import { lookAt, regionNames } from "../listing.js";

export const command: Command = {
  name: "clean",
  summary: "remove the regions that no living process uses",
  usage: ["[--kernel] [--dry-run] [--json]"],
  about: `Removes what no living process uses, and says what and why, as well as what it leaves and why. Regions of lifetime
"kernel" stay unless --kernel is given. Needed only after every process of a region was killed at once; the next one
that opens it cleans up as well.`,
  options: {
    kernel: { type: "boolean", short: "k", about: "regions that were asked to stay as well" },
    "dry-run": { type: "boolean", short: "n", about: "remove nothing, only say what would be" },
    json: { type: "boolean", short: "j", about: "as JSON" },
  },
  exitCodes: [1, 141],
  examples: ["shmkit clean --dry-run", "shmkit clean --kernel --json | jq '.removed[].name'"],
  completes: [],
  arguments: [0, 0],
  run: clean,
};

/** A region that nobody alive uses, or a file that cannot be looked at. */
interface Verdict {
  readonly name: string;
  readonly why: string;
  readonly sizeBytes?: number;
}

interface Plan {
  readonly removable: readonly Verdict[];
  readonly kept: readonly Verdict[];
}

async function clean({ terminal, ...given }: Invocation): Promise<void> {
  const kernel = given.flag("kernel");
  const dryRun = given.flag("dry-run");
  const { removable, kept } = plan(kernel);
  let removed = removable;
  const left = [...kept];
  if (!dryRun) {
    const names = await Region.clean({ kernel });
    removed = names.map((name) => removable.find((verdict) => verdict.name === name) ?? { name, why: UNUSED });
    for (const { name } of removable)
      if (!names.includes(name)) left.push({ name, why: "somebody has joined or removed it meanwhile" });
  }
  if (given.flag("json")) {
    await terminal.line(toJson({ dryRun, removed, kept: left }, 2));
    return;
  }
  const { bold, yellow } = terminal.colours;
  for (const { name, why, sizeBytes } of removed) {
    const size = sizeBytes === undefined ? "" : `, ${formatBytes(sizeBytes)}`;
    await terminal.line(`${bold(name)}  ${dryRun ? "would be removed" : "removed"}: ${why}${size}`);
  }
  for (const { name, why } of left) await terminal.line(`${bold(name)}  ${yellow("kept")}: ${why}`);
  if (removed.length + left.length === 0) await terminal.line("nothing to remove");
}

const UNUSED = "no living process uses it";

function plan(kernel: boolean): Plan {
  const { regions, unreadable } = lookAt(regionNames(), "skip");
  const removable: Verdict[] = [];
  const kept: Verdict[] = unreadable.map(({ name, code, message }) => ({ name, why: `${code}: ${message}` }));
  for (const region of regions) {
    if (region.members.some(({ alive }) => alive)) continue;
    const { name, sizeBytes } = region;
    const obstacle = obstacleTo(region, kernel);
    if (obstacle === undefined) removable.push({ name, why: reasonOf(region), sizeBytes });
    else kept.push({ name, why: obstacle, sizeBytes });
  }
  return { removable, kept };
}

function reasonOf({ members, lifetime }: Pick<RegionInfo, "members" | "lifetime">): string {
  const died = members.length === 0 ? "" : ` (${members.length === 1 ? "a member" : `${members.length} members`} died)`;
  return `${UNUSED}${died}${lifetime === "kernel" ? ", and --kernel was given" : ""}`;
}

function obstacleTo({ lifetime, uid }: Pick<RegionInfo, "lifetime" | "uid">, kernel: boolean): string | undefined {
  const self = process.geteuid!();
  if (self !== 0 && uid !== self) return `it belongs to the user ${uid}, who can clean it`;
  if (lifetime === "kernel" && !kernel) return "it was asked to stay; shmkit clean --kernel removes it";
  return undefined;
}
