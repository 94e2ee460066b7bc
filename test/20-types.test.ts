import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { array, int16, select, string, struct, type Lease, type MessageCodec, type Pipe } from "shmkit";
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

  test("pipes with a codec are of the type of what it encodes", async (t) => {
    const region = await testRegion(t, "types");
    const Point = struct({ at: array(int16, 2), name: string(8) });
    type Point = { at: number[]; name: string };
    const points = typed<Pipe<Point>>()(await region.pipe("points", { codec: Point, capacity: 4 }));
    typed<Pipe<Point>>()(region.pipeSync("points", { codec: Point }));
    typed<Pipe<Point>>()(await region.pipes.openOrCreate("points", { codec: Point }));
    typed<Pipe<Point>>()(region.pipes.openSync("points", { codec: Point, wait: true }));
    typed<Pipe<Point>>()(await region.pipes.create("more points", { codec: Point }));
    const dates: MessageCodec<Date> = {
      encode: (date) => new TextEncoder().encode(date.toISOString()),
      decode: (bytes) => new Date(new TextDecoder().decode(bytes)),
    };
    typed<Pipe<Date>>()(await region.pipe("dates", { codec: dates }));
    // @ts-expect-error the codec is of dates
    await region.pipe<string>("dates", { codec: dates });
    const point: Point = { at: [1, 2], name: "a" };
    await points.send(point);
    // @ts-expect-error it has no depth
    assert.throws(() => points.trySend({ ...point, depth: 1 }), { code: "ERR_NOT_ENCODABLE" });
    typed<Lease<Point>>()(await points.receive({ lease: true })).nack();
    assert.deepEqual(typed<Point>()((await select([points])).value), point);
  });
});
