/**
 * Whether what the members saw could have happened one call after the other, each at some moment between its first and
 * its last access. The sequential model says what each call may answer.
 */
import type { OperationName } from "#src/layout/member-slot.js";
import type { HistoryEvent } from "./machine.js";

/** The answer of a call whose member died in it. */
export const PENDING: unique symbol = Symbol("pending");

/** What a call is, for the model. */
export interface Call {
  readonly name: string;
  readonly argument?: unknown;
  /** The operation by which a recoverer tells whether it took effect. */
  readonly operation?: OperationName;
}

/** A sequential model. States are plain data. */
export interface Model<State> {
  readonly initial: State;
  /** The states a call may lead to with that answer; none when it cannot answer that now. */
  step(state: State, call: Call, answer: unknown, thread: number): readonly State[];
}

/** A call in a history. */
export interface PastCall {
  readonly thread: number;
  readonly call: Call;
  readonly answer: unknown;
  readonly from: number;
  readonly to: number;
  /** Whether it is known to have taken effect, or known not to have; undefined when either is fine. */
  readonly tookEffect?: boolean | undefined;
}

/** Whether there is an order. A call that nobody saw return may also never have happened, unless it is known that it did. */
export function isLinearizable<State>(calls: readonly PastCall[], model: Model<State>): boolean {
  const open = calls.find(({ answer, tookEffect }) => answer === PENDING && tookEffect !== true);
  if (open === undefined) return hasOrder(calls, model);
  const without = calls.filter((call) => call !== open);
  if (isLinearizable(without, model)) return true;
  return open.tookEffect === undefined && isLinearizable([...without, { ...open, tookEffect: true }], model);
}

function hasOrder<State>(calls: readonly PastCall[], model: Model<State>): boolean {
  const seen = new Set<string>();
  const search = (remaining: readonly PastCall[], state: State): boolean => {
    if (remaining.length === 0) return true;
    const key = `${remaining.map((call) => `${call.thread}.${call.from}`).join()}|${JSON.stringify(state)}`;
    if (seen.has(key)) return false;
    seen.add(key);
    const firstReturn = Math.min(...remaining.map(({ to }) => to));
    return remaining.some((call) => {
      if (call.from > firstReturn) return false;
      const others = remaining.filter((other) => other !== call);
      return model.step(state, call.call, call.answer, call.thread).some((next) => search(others, next));
    });
  };
  return search(calls, model.initial);
}

/** Pairs the events of a history. A call without a return lasts until the recovery of its member returned, or for ever. */
export function callsOf(
  history: readonly HistoryEvent[],
  callOf: (thread: number, call: number) => Call,
  answerOf: (thread: number, call: number) => unknown,
  endOf: (thread: number) => number,
  effectOf: (thread: number, call: Call) => boolean | undefined,
): PastCall[] {
  const calls: PastCall[] = [];
  history.forEach(({ thread, call, isReturn }, from) => {
    if (isReturn) return;
    const end = history.findIndex((event) => event.isReturn && event.thread === thread && event.call === call);
    calls.push({
      thread,
      call: callOf(thread, call),
      answer: end < 0 ? PENDING : answerOf(thread, call),
      from,
      to: end < 0 ? endOf(thread) : end,
      tookEffect: end < 0 ? effectOf(thread, callOf(thread, call)) : undefined,
    });
  });
  return calls;
}
