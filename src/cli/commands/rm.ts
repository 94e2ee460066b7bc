import { Region } from "#shmkit";
import { anyAddress } from "../address.js";
import type { Command, Invocation } from "../command.js";
import { causeOf, CommandError, errorLine, exitCodeOf, usageError } from "../exit-codes.js";
import { toJson } from "../json.js";
import { whereItIs } from "../regions.js";
import { Patience } from "../patience.js";
import { toldOnTime } from "../timeouts.js";

export const command: Command = {
  name: "rm",
  summary: "remove regions, or objects in them",
  usage: ["REGION|REGION/NAME..."],
  about: `Removes the names. Who is attached to a removed region goes on with its memory, but nobody can join any more; who has
a removed object open gets ERR_CLOSED from the next call on. The object of a region's Web Locks goes with the region. Also removes files that are no valid region.`,
  options: {
    json: { type: "boolean", short: "j", about: "what was removed, and what was not and why, as JSON" },
    force: { type: "boolean", short: "f", about: "it is no error if there is no such name" },
    timeout: {
      type: "string",
      short: "t",
      value: "TIME",
      about: "give up when somebody stands in the way for so long",
    },
  },
  exitCodes: [1, 3, 4, 5, 141],
  examples: ["shmkit rm my-app", "shmkit rm my-app/jobs my-app/results"],
  completes: "addresses",
  arguments: [1, Number.POSITIVE_INFINITY],
  run: rm,
};

async function rm(invocation: Invocation): Promise<number> {
  const { terminal } = invocation;
  const json = invocation.flag("json");
  const removed: string[] = [];
  const failed: { name: string; code: string; message: string }[] = [];
  const addresses = invocation.positionals.map((text) => ({ text, ...anyAddress(text) }));
  let worst = 0;
  for (const { text, region, name } of addresses) {
    const patience = Patience.of(invocation.text("timeout"), invocation.signal);
    try {
      const found = await toldOnTime(`removing ${text}`, { region, patience }, () =>
        name === undefined ? Region.remove(region, patience.options()) : removeObject(region, name, patience),
      );
      if (found) removed.push(text);
      else if (!invocation.flag("force")) throw new CommandError("ERR_NOT_FOUND", `there is no ${text}`, 4);
    } catch (error) {
      invocation.signal.throwIfAborted();
      if (json) failed.push({ name: text, ...causeOf(error) });
      else terminal.error(errorLine(error));
      worst = Math.max(worst, exitCodeOf(error));
    }
  }
  if (json) await terminal.line(toJson({ removed, failed }, 2));
  return worst;
}

async function removeObject(regionName: string, name: string, patience: Patience): Promise<boolean> {
  const kind = Region.inspect(regionName)?.objects.find((object) => object.name === name)?.kind;
  if (kind === undefined) return false;
  if (kind === "locks") throw usageError(`the Web Locks of a region go with it: shmkit rm ${regionName}`);
  const region = await Region.open(regionName, { ...whereItIs(regionName), label: "shmkit rm", ...patience.options() });
  try {
    const collection = {
      pipe: region.pipes,
      counter: region.counters,
      mutex: region.mutexes,
      semaphore: region.semaphores,
      condition: region.conditions,
      rwlock: region.rwlocks,
      event: region.events,
      barrier: region.barriers,
      latch: region.latches,
      once: region.onces,
      flag: region.flags,
      "rate-limiter": region.rateLimiters,
      "segment-pool": region.segmentPools,
      composite: region.composites,
    }[kind];
    return await collection.remove(name, patience.options());
  } finally {
    await region.close();
  }
}
