import assert from "node:assert/strict";
import { inspect } from "node:util";
import { describe, test } from "node:test";
import { Region } from "shmkit";
import { run, start, until, type CliProcess } from "./helpers/cli-process.js";
import { regionName } from "./helpers/cli-regions.js";

const programs = {
  server: (region: string, bytes = "1000000") => start(["example", "serverside", region, bytes, "first", "4"]),
  middle: (region: string) => start(["example", "middleside", region, "first", "second", "4"]),
  client: (region: string, pipe = "second") => start(["example", "clientside", region, pipe]),
};
type Program = keyof typeof programs;

const tabs = Array.from({ length: 100 }, (_, i) => ({ sequence_number: i, bi: 10n ** 47n, bu: 10n ** 47n }));
const printed = (values: readonly object[]): string =>
  values.map((value) => `${inspect(value, { breakLength: Number.POSITIVE_INFINITY })}\n`).join("");
const numbered = printed(tabs.map((tab) => ({ ...tab, my_sequence: tab.sequence_number + 100 })));

const memberCount = (region: string): number => Region.inspect(region)?.members.length ?? 0;

describe("serverside, middleside and clientside", () => {
  const orders: Program[][] = [
    ["server", "middle", "client"],
    ["server", "client", "middle"],
    ["middle", "server", "client"],
    ["middle", "client", "server"],
    ["client", "server", "middle"],
    ["client", "middle", "server"],
  ];
  for (const order of orders) {
    test(`talk when started as ${order.join(", ")}`, async () => {
      const region = regionName();
      const running: Partial<Record<Program, CliProcess>> = {};
      for (const program of order) {
        running[program] = programs[program](region);
        // The server makes the region; those before it wait for that, and cannot be seen.
        if (program === "server") await until(() => memberCount(region) > 0);
      }
      const server = await running.server!.ended;
      const middle = await running.middle!.ended;
      const client = await running.client!.ended;
      assert.deepEqual([server.code, middle.code, client.code], [0, 0, 0]);
      assert.equal(server.errors + middle.errors + client.errors, "");
      assert.equal(middle.text, numbered);
      assert.equal(client.text, numbered);
    });
  }

  test("a client may read the server's pipe itself, which is full after four", async () => {
    const region = regionName();
    const server = programs.server(region);
    await until(() => server.soFar !== "");
    const client = await programs.client(region, "first").ended;
    assert.equal(client.text, printed(tabs));
    assert.match((await server.ended).text, /^the pipe is full, trying 4 again\n/);
  });

  test("the others go on when one is killed and started again", async () => {
    const region = regionName();
    const server = programs.server(region);
    await until(() => memberCount(region) === 1);
    const killed = programs.client(region);
    await until(() => memberCount(region) === 2);
    killed.kill("SIGKILL");
    await killed.ended;
    const client = programs.client(region);
    const middle = await programs.middle(region).ended;
    assert.deepEqual([middle.code, (await client.ended).code, (await server.ended).code], [0, 0, 0]);
    assert.equal((await client.ended).text, numbered);
  });

  test("Ctrl-C ends each of them and leaves nothing", async () => {
    const region = regionName();
    const running = [programs.server(region), programs.client(region), programs.client(region, "third")];
    await until(() => memberCount(region) === 3);
    for (const program of running) {
      program.kill("SIGINT");
      assert.equal((await program.ended).signal, "SIGINT");
    }
  });

  test("a region that is too small, or exists, is an error", async () => {
    const region = regionName();
    const small = await programs.server(region, "5000").ended;
    assert.equal(small.code, 1);
    assert.match(small.errors, /^shmkit: ERR_REGION_FULL: /);
    const first = programs.server(region);
    await until(() => memberCount(region) === 1);
    assert.match((await programs.server(region).ended).errors, /^shmkit: ERR_EXISTS: /);
    first.kill("SIGTERM");
    await first.ended;
  });
});

test("a wrong number of arguments is shown the usage, and exit code 1", async () => {
  for (const args of [[], ["serverside"], ["middleside", "a", "b"], ["clientside", "a"], ["otherside", "a", "b"]]) {
    const { code, text, errors } = await run(["example", ...args]);
    assert.equal(code, 1);
    assert.equal(text, "");
    assert.match(errors, /^shmkit: ERR_USAGE: usage: shmkit example serverside SHM BYTES PIPE CAPACITY \|/);
  }
});
