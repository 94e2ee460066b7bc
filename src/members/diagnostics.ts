import { channel, type Channel } from "node:diagnostics_channel";
import { now } from "../base/deadline.js";
import type { MemberDeath } from "./deaths.js";

/** A region that this process made, joined or left. */
export interface RegionEvent {
  /** Its name. */
  readonly region: string;
  /** Path of its file. */
  readonly path: string;
  /** Random number of this region, in hexadecimal: tells it from an earlier one of the same name. */
  readonly epoch: string;
  /** This member's slot. */
  readonly slot: number;
}

/** A wait that did not find at once what it asked for. A selection has one for each of its pipes. */
export interface WaitEvent {
  /** Name of the region. */
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
  /** This process made a region. */
  "shmkit:region:create": RegionEvent;
  /** This process joined a region. */
  "shmkit:region:attach": RegionEvent;
  /** This process left a region. */
  "shmkit:region:close": RegionEvent;
  /** This member backed more memory. */
  "shmkit:region:grow": {
    /** Name of the region. */
    readonly region: string;
    /** Bytes backed now, as in `Region.sizeBytes`. */
    readonly sizeBytes: number;
  };
  /** As the event `memberDied` of a region. */
  "shmkit:member:death": {
    /** Name of the region. */
    readonly region: string;
    /** Who died, what it was doing, and whether that took effect. */
    readonly death: MemberDeath;
  };
  /** This member recovered what a dead one had left. */
  "shmkit:member:recover": {
    /** Name of the region. */
    readonly region: string;
    /** The dead member's slot. */
    readonly slot: number;
    /** How long it took, in milliseconds. */
    readonly durationMs: number;
  };
  /** A wait begins. */
  "shmkit:wait:start": WaitEvent;
  /** A wait is over. */
  "shmkit:wait:end": WaitEvent & {
    /** How long it took, in milliseconds. */
    readonly waitedMs: number;
    /** What the wait failed with, undefined when it did not. */
    readonly error: unknown;
  };
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
