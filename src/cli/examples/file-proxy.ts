import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import {
  fetchTransfer,
  open,
  ShmkitError,
  type Pipe,
  type SegmentPool,
  type Transfer,
  type TransferRequest,
} from "#shmkit";

/** Smaller segments would be spent on what each round says of itself. */
export const LEAST_SEGMENT_BYTES = 128;

/**
 * A proxy: an HTTP server on the loopback interface that gets each file from whichever cache there is, through a pool of
 * segments; more clients than segments wait in turn. Ends after so many answers, or when the signal aborts.
 */
export async function fileProxy(
  shm: string,
  segments: number,
  segmentBytes: number,
  answers: number,
  signal: AbortSignal,
  print: (line: string) => unknown,
): Promise<void> {
  const region = await open(shm, { label: "proxy", signal });
  const server = createServer();
  try {
    const pool = await region.segmentPool("segments", { segments, segmentBytes, signal });
    const requests = await region.pipe<TransferRequest>("requests", { signal });
    const done = new AbortController();
    let answered = 0;
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      const path = decodeURIComponent(new URL(request.url ?? "/", "http://proxy").pathname);
      void answer(pool, requests, path, response).then(() => ++answered === answers && done.abort());
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    await print(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    await once(AbortSignal.any([signal, done.signal]), "abort");
  } finally {
    server.close();
    server.closeAllConnections();
    await region.close();
  }
}

async function answer(
  pool: SegmentPool,
  requests: Pipe<TransferRequest>,
  key: string,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  try {
    const { status, bytes, reason, attempts } = await fetched(pool, requests, key, gone.signal);
    const code = { ok: 200, "not-found": 404, failed: 502 }[status];
    response.writeHead(code, { "content-length": bytes.length, "x-attempts": attempts, "x-reason": reason ?? status });
    response.end(bytes);
    await once(response, "close", { signal: gone.signal }).catch(() => undefined);
  } catch {
    // The client has gone, or this proxy is ending.
    response.destroy();
  }
}

/** The file, from the next cache if one dies with it. */
async function fetched(
  pool: SegmentPool,
  requests: Pipe<TransferRequest>,
  key: string,
  signal: AbortSignal,
): Promise<Transfer & { attempts: number }> {
  for (let attempts = 1; ; attempts++) {
    try {
      return { ...(await fetchTransfer(pool, requests, key, { signal })), attempts };
    } catch (error) {
      if (!(error instanceof ShmkitError) || error.code !== "ERR_NOT_HELD") throw error;
    }
  }
}
