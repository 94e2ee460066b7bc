import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Lease, Pipe } from "shmkit";
import { testRegion } from "./helpers/process-regions.js";

interface Job {
  readonly url: string;
}

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** The compiler is the test: it refuses a call whose types are not the same. */
function typed<Expected>() {
  return <Actual>(
    value: Actual,
    ..._same: Same<Actual, Expected> extends true ? [] : ["not the type expected"]
  ): Actual => value;
}

describe("types", () => {
  test("the compiler refuses what is of another type", () => {
    typed<number>()(Number("1"));
    // @ts-expect-error a string is no number
    typed<number>()(String(1));
    const anything: unknown = 1;
    // @ts-expect-error nor is what may be anything
    typed<number>()(anything);
  });

  test("pipes are of the type of their messages by every verb", async (t) => {
    const region = await testRegion(t, "types");
    const jobs = [
      typed<Pipe<Job>>()(await region.pipe<Job>("jobs")),
      typed<Pipe<Job>>()(region.pipeSync<Job>("jobs")),
      typed<Pipe<Job>>()(await region.pipes.open<Job>("jobs")),
      typed<Pipe<Job>>()(region.pipes.openSync<Job>("jobs")),
      typed<Pipe<Job>>()(await region.pipes.openOrCreate<Job>("jobs")),
      typed<Pipe<Job>>()(region.pipes.openOrCreateSync<Job>("jobs")),
    ];
    assert.equal(new Set(jobs).size, 1);
    const made = [
      typed<Pipe<Job>>()(await region.pipes.create<Job>("more")),
      typed<Pipe<Job>>()(region.pipes.createSync<Job>("most", { capacity: 2, timeoutMs: 1000 })),
    ];
    for (const pipe of made) {
      await pipe.send({ url: "x" });
      // @ts-expect-error a number is no Job
      pipe.trySend(1);
      typed<Job>()(await pipe.receive());
      typed<Job | undefined>()(pipe.tryReceive());
    }
    await made[0].send({ url: "y" });
    typed<Lease<Job>>()(await made[0].receive({ lease: true })).ack();
    typed<Pipe>()(await region.pipes.open("more"));
  });
});
