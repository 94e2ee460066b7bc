import type { TestContext } from "node:test";
import type { Pipe, PipeOptions } from "shmkit";
import { joinRegion, testRegion } from "./process-regions.js";

export const TIMEOUT = { name: "TimeoutError", code: "ERR_TIMEOUT" } as const;
export const CLOSED = { name: "ShmkitError", code: "ERR_CLOSED" } as const;

/** A new pipe in a region of its own. */
export async function testPipe<T>(t: TestContext, options: PipeOptions = {}): Promise<Pipe<T>> {
  return (await testRegion(t, "pipe")).pipe<T>("p", options);
}

/** The same pipe as another member of this process has it. */
export async function elsewhere<T>(t: TestContext, pipe: Pipe<T>): Promise<Pipe<T>> {
  const [region, name] = pipe.address.split("/") as [string, string];
  return (await joinRegion(t, region)).pipe<T>(name);
}

/** What is in a pipe, without waiting for more. */
export function takeAll<T>(pipe: Pipe<T>): T[] {
  const messages: T[] = [];
  for (let message = pipe.tryReceive(); message !== undefined; message = pipe.tryReceive()) messages.push(message);
  return messages;
}
