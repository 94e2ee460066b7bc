import { channel, type Channel } from "node:diagnostics_channel";
import { now } from "../base/deadline.js";
import type { MemberDeath } from "./deaths.js";

/** A region that this process made, joined or left. */
export interface RegionEvent {
  readonly region: string;
  readonly path: string;
  readonly epoch: string;
  /** This member's slot. */
  readonly slot: number;
}

/** A wait that did not find at once what it asked for. A selection has one for each of its pipes. */
export interface WaitEvent {
  readonly region: string;
  /** Number of the wait in this thread: the same at its start and its end. */
  readonly id: number;
  /** `receiving from REGION/NAME`, …: for people. */
  readonly what: string;
  /** Whether it blocks the thread; told when it goes to sleep. */
  readonly sync: boolean;
}

/** What is told on the channels of `node:diagnostics_channel`, by the channel's name. */
export interface DiagnosticEvents {
  "shmkit:region:create": RegionEvent;
  "shmkit:region:attach": RegionEvent;
  "shmkit:region:close": RegionEvent;
  /** This member backed more memory; `sizeBytes` are backed now, as in `Region.sizeBytes`. */
  "shmkit:region:grow": { readonly region: string; readonly sizeBytes: number };
  /** As the event `memberDied` of a region. */
  "shmkit:member:death": { readonly region: string; readonly death: MemberDeath };
  /** This member recovered what a dead one had left. */
  "shmkit:member:recover": { readonly region: string; readonly slot: number; readonly durationMs: number };
  "shmkit:wait:start": WaitEvent;
  /** `error` is what the wait failed with, undefined when it did not. */
  "shmkit:wait:end": WaitEvent & { readonly waitedMs: number; readonly error: unknown };
}

type EventName = keyof DiagnosticEvents;

const channels: { readonly [Name in EventName]: Channel } = {
  "shmkit:region:create": channel("shmkit:region:create"),
  "shmkit:region:attach": channel("shmkit:region:attach"),
  "shmkit:region:close": channel("shmkit:region:close"),
  "shmkit:region:grow": channel("shmkit:region:grow"),
  "shmkit:member:death": channel("shmkit:member:death"),
  "shmkit:member:recover": channel("shmkit:member:recover"),
  "shmkit:wait:start": channel("shmkit:wait:start"),
  "shmkit:wait:end": channel("shmkit:wait:end"),
};

/**
 * Tells an event to whoever subscribed; makes none when nobody did. Subscribers run when the call that this happens in is
 * done: it may hold a lock.
 */
export function tell<Name extends EventName>(name: Name, event: () => DiagnosticEvents[Name]): void {
  if (!channels[name].hasSubscribers) return;
  const told = event();
  queueMicrotask(() => channels[name].publish(told));
}

let waits = 0;

/** Tells that a wait begins, before it does; answers what is to be called at its end, or undefined when nobody listens. */
export function waitBegins(region: string, what: string, sync: boolean): ((error?: unknown) => void) | undefined {
  const start = channels["shmkit:wait:start"];
  if (!start.hasSubscribers && !channels["shmkit:wait:end"].hasSubscribers) return undefined;
  const event: WaitEvent = { region, id: ++waits, what, sync };
  start.publish(event);
  const begun = now();
  return (error) => {
    const waitedMs = now() - begun;
    tell("shmkit:wait:end", () => ({ ...event, waitedMs, error }));
  };
}
