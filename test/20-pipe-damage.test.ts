import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { ShmkitError, type Pipe, type Region } from "shmkit";
import { PAGE_MAP_BYTES, runPages, RunState, runState } from "#src/layout/heap.js";
import { COPY_BYTES, IN_BLOCK, PIPE, RecordKind } from "#src/layout/pipe.js";
import { PAGE_BYTES, REGION_HEADER } from "#src/layout/region-header.js";
import { testRegion } from "./helpers/process-regions.js";

/** What is in the ring: records of both kinds, and one that refers to a block. */
const MESSAGES = [Buffer.from("bytes"), { a: [1, "value"] }, new Uint8Array(6000).fill(7), "text"];
/** Length of the longest message in the ring of a pipe for four. */
const INLINE_BYTES = 504;
/** Lengths of messages sent and received before: with them, the second one of those that stay wraps. */
const BEFORE = { "at the start": [], "around the end": [...Array<number>(7).fill(INLINE_BYTES), 472] };
const PAGE_WORDS = PAGE_BYTES / 4;
const UNTOUCHED = new Uint8Array(5000).fill(9);

/** A region with a pipe to be damaged, and other objects that must not be. */
class Scene {
  private constructor(
    private readonly region: Region,
    private readonly words: Int32Array,
    private readonly other: Pipe<Uint8Array>,
    private readonly usedBlocks: number,
    private pipe: Pipe<unknown>,
    private page = 0,
  ) {}

  static async make(t: TestContext): Promise<Scene> {
    const region = await testRegion(t, "damage", { size: "256KiB", maxSize: "256KiB", maxMembers: 2 });
    const other = await region.pipe<Uint8Array>("other", { capacity: 1, maxLeased: 1 });
    await other.send(UNTOUCHED);
    await region.counter("count");
    return new Scene(region, new Int32Array(region.buffer), other, region.statistics().usedBlocks, other);
  }

  /** Makes the pipe, with the messages in it. */
  fill(before: readonly number[]): void {
    this.pipe = this.region.pipeSync("damaged", { capacity: 4, maxLeased: 2 });
    this.page = (this.pipe as unknown as { ref: { page: number } }).ref.page;
    for (const length of before) {
      this.pipe.sendSync(new Uint8Array(length));
      this.pipe.receiveSync();
    }
    for (const message of MESSAGES) this.pipe.sendSync(message);
  }

  private field(offset: number): number {
    return this.words[this.page * PAGE_WORDS + offset / 4];
  }

  /** Word indexes of the records, which may go on at the start of the ring. */
  places(): number[] {
    const { at } = PIPE;
    const ring = this.page * PAGE_WORDS + this.field(at.ringOffset) / 4;
    const count = 2 * this.field(at.ringUnits);
    const head = 2 * this.field(at.headPosition0 + COPY_BYTES * (this.field(at.received) & 1));
    const tail = 2 * this.field(at.tailPosition0 + COPY_BYTES * (this.field(at.sent) & 1));
    return Array.from({ length: tail - head }, (_, i) => ring + ((head + i) % count));
  }

  /** What refers to a block: to one that is no message's with its generation, to a message's with another one. */
  references(): [page: number, generation: number][] {
    const { at } = REGION_HEADER;
    const references: [number, number][] = [];
    for (let page = this.words[at.heapPage / 4]; page < this.words[at.committedPages / 4];) {
      const entry = this.words[at.pageMapPage / 4] * PAGE_WORDS + page * (PAGE_MAP_BYTES / 4);
      const run = this.words[entry];
      references.push([page, this.words[entry + 1] + (runState(run) === RunState.used ? 1 : 0)]);
      page += runPages(run);
    }
    return references;
  }

  write(place: number, values: readonly number[]): void {
    this.words.set(values, place);
  }

  /** Receives what there is, and answers the codes of the errors. ERR_CORRUPT is the last one: it stands for good. */
  drain(receive: (pipe: Pipe<unknown>) => unknown): string[] {
    const codes: string[] = [];
    while (this.pipe.statistics().depth > 0 && codes.at(-1) !== "ERR_CORRUPT")
      try {
        assert.notEqual(receive(this.pipe), undefined, "there is a message");
      } catch (error) {
        if (!(error instanceof ShmkitError)) throw error;
        codes.push(error.code);
      }
    return codes;
  }

  /** What the damage must not reach; and the pipe can be removed. Answers whether all memory came back. */
  check(): boolean {
    const { region, other } = this;
    assert.deepEqual(region.pipes.list(), ["other", "damaged"]);
    const lease = other.tryReceive({ lease: true })!;
    assert.equal(Buffer.compare(lease.value, UNTOUCHED), 0);
    lease.nack();
    const count = region.counterSync("count");
    assert.equal(count.addSync(1), count.value);
    assert.equal(region.pipes.removeSync("damaged"), true);
    this.pipe.detach();
    const lost = region.statistics().usedBlocks - this.usedBlocks;
    assert.ok(lost === 0 || lost === 1, `${lost} blocks are lost; that of the damaged message may be`);
    return lost === 0;
  }
}

const WAYS: Record<string, (pipe: Pipe<unknown>) => unknown> = {
  tryReceive: (pipe) => pipe.tryReceive(),
  receiveIntoSync: (pipe) => pipe.receiveIntoSync(new Uint8Array(PAGE_BYTES * 2), { timeoutMs: 0 }),
  "receiveSync under lease": (pipe) => {
    const lease = pipe.receiveSync({ timeoutMs: 0, lease: true });
    lease.ack();
    return lease;
  },
};

describe("a message that is written over in the ring: a value or a typed error, and nothing else is touched", () => {
  for (const [where, before] of Object.entries(BEFORE))
    for (const [name, receive] of Object.entries(WAYS))
      test(`every word, ${where} of the ring, by ${name}`, async (t) => {
        let scene = await Scene.make(t);
        scene.fill(before);
        const count = scene.places().length;
        assert.equal(scene.places()[count - 1] < scene.places()[0], before.length > 0);
        const kinds = [RecordKind.bytes, RecordKind.value, RecordKind.wrap];
        const attempts = [
          ...[0, 1, 2, 3, 4, 5, 8, INLINE_BYTES, INLINE_BYTES + 1, 6000, 20_000, -1, 0x7fffffff].map((value) => [
            value,
          ]),
          ...kinds.map((kind) => [kind | IN_BLOCK]),
          ...scene.references().flatMap((reference) => [reference.slice(0, 1), reference]),
        ];
        assert.deepEqual(scene.drain(receive), []);
        assert.equal(scene.check(), true);
        const codes: Record<string, number> = {};
        for (let place = 0; place < count; place++)
          for (const attempt of attempts) {
            scene.fill(before);
            scene.write(scene.places()[place], attempt);
            for (const code of scene.drain(receive)) codes[code] = (codes[code] ?? 0) + 1;
            if (!scene.check()) scene = await Scene.make(t);
          }
        t.diagnostic(`${count * attempts.length} cases: ${JSON.stringify(codes)}`);
        for (const code of Object.keys(codes)) assert.match(code, /^ERR_(CORRUPT|BAD_MESSAGE|OUT_OF_RANGE)$/);
        assert.ok(codes["ERR_CORRUPT"] > 0);
      });
});
