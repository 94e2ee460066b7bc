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
/** The proxy has the whole of a file in memory until its client has taken it: larger ones are refused. */
export const MOST_FILE_BYTES = 64 * 1024 * 1024;

const NOTHING = new Uint8Array(0);

class TooLarge extends Error {}

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
      void answer(pool, requests, request.url ?? "/", response).then((isAnswered) => {
        if (isAnswered && ++answered === answers) done.abort();
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    await print(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const end = AbortSignal.any([signal, done.signal]);
    if (!end.aborted) await once(end, "abort");
  } finally {
    server.close();
    server.closeAllConnections();
    await region.close();
  }
}

/** Whether the client got an answer. */
async function answer(
  pool: SegmentPool,
  requests: Pipe<TransferRequest>,
  url: string,
  response: ServerResponse,
): Promise<boolean> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  const send = async (code: number, reason: string, bytes: Uint8Array, attempts = 0): Promise<boolean> => {
    // The reason is text of somebody else, and not every text can be a header.
    const head = { "content-length": bytes.length, "x-attempts": attempts, "x-reason": encodeURIComponent(reason) };
    response.writeHead(code, head).end(bytes);
    await once(response, "close", { signal: gone.signal }).catch(() => undefined);
    return response.writableFinished;
  };
  try {
    const key = keyOf(url);
    if (key === undefined) return await send(400, "bad-path", NOTHING);
    const { status, bytes, reason, attempts } = await fetched(pool, requests, key, gone.signal);
    return await send({ ok: 200, "not-found": 404, failed: 502 }[status], reason ?? status, bytes, attempts);
  } catch (error) {
    if (error instanceof TooLarge) return send(413, "too-large", NOTHING);
    // The client has gone, or this proxy is ending.
    response.destroy();
    return false;
  }
}

/** The path in a URL; undefined when it cannot be read. */
function keyOf(url: string): string | undefined {
  try {
    return decodeURIComponent(new URL(url, "http://proxy").pathname);
  } catch {
    return undefined;
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
      let bytes = NOTHING;
      const into = (chunk: Uint8Array, offset: number, total: number): void => {
        if (total > MOST_FILE_BYTES) throw new TooLarge();
        if (offset === 0) bytes = new Uint8Array(total);
        bytes.set(chunk, offset);
      };
      const transfer = await fetchTransfer(pool, requests, key, { signal, into });
      return { ...transfer, bytes: transfer.status === "ok" ? bytes : NOTHING, attempts };
    } catch (error) {
      if (!(error instanceof ShmkitError) || error.code !== "ERR_NOT_HELD") throw error;
    }
  }
}
