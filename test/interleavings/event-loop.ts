/** The event loop of a member of the story, which waits asynchronously: nobody's promise goes on while the members run. */
import * as words from "#words";
import { Armed } from "#src/layout/member-slot.js";
import { BLOCKED } from "#src/members/member.js";
import type { Waitable } from "#src/members/waits.js";
import { handSignal, ignore } from "../helpers/crash-calls.js";
import type { MemberOf, World } from "./world.js";

/** A call that waits asynchronously. */
export interface Pending<T> {
  /** What its attempt came to: what the promise will resolve to. */
  answer: T | undefined;
  isDone: boolean;
}

export class EventLoop {
  constructor(
    private readonly world: World,
    private readonly member: MemberOf,
  ) {}

  /** Makes a call that waits; what its wait comes to is in the result as soon as it is known. */
  begin<T>(call: () => Promise<T>): Pending<T> {
    const pending: Pending<T> = { answer: undefined, isDone: false };
    const { waits } = this.member.membership;
    const async: typeof waits.async = waits.async.bind(waits);
    const watch = (waitable: Waitable<T>): Waitable<T> => ({
      ...waitable,
      attempt: () => {
        const answer = waitable.attempt();
        if (answer !== BLOCKED) Object.assign(pending, { answer, isDone: true });
        return answer;
      },
    });
    Object.assign(waits, { async: (one: Waitable<T>, options: undefined) => async(watch(one), options) });
    try {
      ignore(call());
    } finally {
      Reflect.deleteProperty(waits, "async");
    }
    return pending;
  }

  /**
   * Serves the waits that something begins, whenever the doorbell rings, until it is there; and those that were there, if it
   * rang since it was seen.
   */
  run(begin: () => void, isThere: () => boolean, since?: number): void {
    const { member, waits } = this.member.membership;
    const shared = member.segment.words;
    const now = words.loadFresh(shared, member.bell);
    let seen = since ?? now;
    begin();
    while (!isThere()) {
      const bell = words.loadFresh(shared, member.bell);
      if (bell === seen) {
        this.world.sleepForEventLoop(member.bell, seen);
        continue;
      }
      seen = bell;
      words.and(shared, member.armed, ~Armed.eventLoop);
      waits.drain();
    }
  }

  /** Makes a call and answers what its wait came to. */
  await<T>(call: () => Promise<T>): T {
    let pending: Pending<T> | undefined;
    this.run(
      () => (pending = this.begin(call)),
      () => pending!.isDone,
    );
    return pending!.answer as T;
  }

  /**
   * Makes a call and another one behind it, and aborts the first; answers what the wait of the second came to. What the
   * first had come to is given back before.
   */
  awaitBehind<T>(
    first: (signal: AbortSignal) => Promise<T>,
    second: () => Promise<T>,
    giveBack: (answer: T) => void = () => undefined,
  ): T {
    const { signal, abort } = handSignal();
    let behind: Pending<T> | undefined;
    this.run(
      () => {
        const ahead = this.begin(() => first(signal));
        behind = this.begin(second);
        abort();
        if (ahead.isDone) giveBack(ahead.answer as T);
      },
      () => behind!.isDone,
    );
    return behind!.answer as T;
  }
}
