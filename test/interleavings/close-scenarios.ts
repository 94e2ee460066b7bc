/** Pipes that are closed, and waiting until one is empty: whoever waits for something else has to be told as well. */
import type { Pipe, PipeOptions } from "shmkit";
import { PAGE_BYTES } from "#src/layout/region-header.js";
import { PENDING, type Model } from "./linearizability.js";
import { message, numberOf, pipes } from "./pipe-scenarios.js";
import { CLOSED, unlessClosed, type Calls, type Role, type Scenario } from "./scenario.js";
import type { MemberOf } from "./world.js";

interface Closable {
  readonly queue: readonly number[];
  readonly leased: number;
  readonly isClosed: boolean;
}

const closable = (capacity: number, queue: readonly number[]): Model<Closable> => ({
  initial: { queue, leased: 0, isClosed: false },
  step(state, { name, argument }, answer) {
    const { leased, isClosed } = state;
    const [first, ...others] = state.queue;
    const isEmpty = first === undefined;
    if (name === "close") return [{ ...state, isClosed: true }];
    if (name === "ack") return [{ ...state, leased: leased - 1 }];
    if (name === "drain") return isEmpty && leased === 0 ? [state] : [];
    if (name === "rest") return JSON.stringify(state.queue) === JSON.stringify(answer) ? [state] : [];
    if (answer === CLOSED) return isClosed && (name === "send" || (isEmpty && leased === 0)) ? [state] : [];
    if (name === "send")
      return !isClosed && state.queue.length < capacity
        ? [{ ...state, queue: [...state.queue, argument as number] }]
        : [];
    if (isEmpty || (answer !== PENDING && answer !== first)) return [];
    return [{ ...state, queue: others, leased: leased + (name === "lease" ? 1 : 0) }];
  },
});

type Bytes = Pipe<Uint8Array>;
type Act = (pipe: Bytes, call: Calls) => void;

const close: Act = (pipe, call) => void call({ name: "close" }, () => void pipe.closeSync());
const drain: Act = (pipe, call) => void call({ name: "drain" }, () => void pipe.drainSync());
const receive: Act = (pipe, call) =>
  void call({ name: "receive" }, () => unlessClosed(() => numberOf(pipe.receiveSync())));
const send: Act = (pipe, call) =>
  void call({ name: "send", argument: 2 }, () => unlessClosed(() => void pipe.sendSync(message(2))));
const work: Act = (pipe, call) => {
  let settle: (() => void) | undefined;
  call({ name: "lease" }, () =>
    unlessClosed(() => {
      const lease = pipe.receiveSync({ lease: true });
      settle = () => lease.ack();
      return numberOf(lease.value);
    }),
  );
  if (settle !== undefined) call({ name: "ack" }, settle);
};

/** What is left, taken by the witness. */
function rest({ region }: MemberOf, call: Calls): void {
  call({ name: "rest" }, () => {
    const pipe = region.pipes.openSync<Uint8Array>("p");
    const take = (): Uint8Array | undefined | typeof CLOSED => unlessClosed(() => pipe.tryReceive());
    const left: (number | string)[] = [];
    for (let bytes = take(); bytes !== undefined && bytes !== CLOSED; bytes = take()) left.push(numberOf(bytes));
    return left;
  });
}

/** What each of some members does with a pipe in which there are messages already. */
function onPipe(name: string, options: PipeOptions, queue: readonly number[], acts: Record<string, Act>): Scenario {
  const roles = Object.entries(acts);
  return {
    name,
    algorithm: "pipe",
    members: roles.length,
    deaths: 0,
    tell: (world) => {
      const made = pipes(world, options);
      for (const number of queue) made[0].sendSync(message(number));
      const base = made[0].ref.page * PAGE_BYTES;
      return {
        roles: roles.map(([role, act], i): Role => ({ name: role, run: (call) => act(made[i], call) })),
        model: closable(options.capacity!, queue),
        after: rest,
        isBody: (at) => at >= base && at < base + PAGE_BYTES,
      };
    },
  };
}

export const CLOSE_SCENARIOS: readonly Scenario[] = [
  onPipe("pipe-close-empty", { capacity: 1 }, [], { closer: close, receiver: receive }),
  onPipe("pipe-close-full", { capacity: 1 }, [1], { closer: close, sender: send }),
  onPipe("pipe-close-last", { capacity: 1 }, [1], { closer: close, one: receive, two: receive }),
  // What is out on lease may come back: a receiver waits until it is settled.
  onPipe("pipe-close-lease", { capacity: 1 }, [1], { closer: close, worker: work, receiver: receive }),
  onPipe("pipe-drain", { capacity: 1 }, [1], { receiver: receive, drainer: drain }),
  onPipe("pipe-drain-lease", { capacity: 1 }, [1], { worker: work, drainer: drain }),
];
