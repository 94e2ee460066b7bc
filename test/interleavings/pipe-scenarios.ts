/** Pipes: senders and receivers, full and empty, waiting. */
import type { Pipe, PipeOptions } from "shmkit";
import { COPY_BYTES, PIPE } from "#src/layout/pipe.js";
import { PAGE_BYTES } from "#src/layout/region-header.js";
import { PENDING, type Call, type Model } from "./linearizability.js";
import { survivor, TIMED_OUT, within, type Role, type Scenario, type Story } from "./scenario.js";
import type { MemberOf, World } from "./world.js";

/** Messages of a length: all bytes of one say the same, so that a torn one shows. */
export const messagesOf =
  (length: number) =>
  (number: number): Uint8Array =>
    new Uint8Array(length).fill(number);
export const message = messagesOf(8);

export const numberOf = (bytes: Uint8Array): number | string =>
  bytes.every((byte) => byte === bytes[0]) ? bytes[0] : `torn ${bytes.join()}`;

/** What is in the pipe, oldest first. */
function queueOf(capacity: number): Model<readonly number[]> {
  return {
    initial: [],
    step(queue, { name, argument }, answer) {
      if (name === "recover") return [queue];
      if (answer === TIMED_OUT) return [queue];
      if (name === "send") return queue.length < capacity ? [[...queue, argument as number]] : [];
      if (name === "rest") return JSON.stringify(queue) === JSON.stringify(answer) ? [[]] : [];
      return queue.length > 0 && (answer === PENDING || answer === queue[0]) ? [queue.slice(1)] : [];
    },
  };
}

const send = (number: number): Call => ({ name: "send", argument: number, operation: "pipe.send" });
const RECEIVE: Call = { name: "receive", operation: "pipe.receive" };

/** The pipe of every member. Its counters are about to wrap, and so is its ring, so many units before its end. */
export function pipes(world: World, options: PipeOptions, unitsBeforeEnd = 2): Pipe<Uint8Array>[] {
  const made = world.members.map(({ region }) =>
    region.pipes.openOrCreateSync<Uint8Array>("p", { maxLeased: 1, ...options }),
  );
  const base = made[0].ref.page * PAGE_BYTES;
  const { words, bytes } = world.machine;
  const view = new DataView(bytes.buffer);
  const set = (offset: number, value: number): void => view.setInt32(base + offset, value, true);
  const units = words[(base + PIPE.at.ringUnits) >> 2];
  for (const copy of [0, COPY_BYTES]) {
    set(PIPE.at.tailPosition0 + copy, units - unitsBeforeEnd);
    set(PIPE.at.headPosition0 + copy, units - unitsBeforeEnd);
  }
  set(PIPE.at.sent, -1);
  set(PIPE.at.received, -1);
  return made;
}

export const sends = (
  name: string,
  pipe: Pipe<Uint8Array>,
  messageOf: (number: number) => Uint8Array,
  ...numbers: number[]
): Role => ({
  name,
  run: (call) => {
    for (const number of numbers) call(send(number), () => pipe.sendSync(messageOf(number)));
  },
});
export const receives = (name: string, pipe: Pipe<Uint8Array>, count: number): Role => ({
  name,
  run: (call) => {
    for (let i = 0; i < count; i++) call(RECEIVE, () => numberOf(pipe.receiveSync()));
  },
});

const impatiently = (name: string, what: Call, act: (options: { timeoutMs: number }) => unknown): Role => ({
  name,
  hasDeadline: true,
  run: (call) => void call(what, () => within(act)),
});

/** What is left, taken by the witness. */
export const rest =
  (name: string) =>
  ({ region }: MemberOf, call: <T>(what: Call, act: () => T) => T): void => {
    call({ name: "rest" }, () => {
      const pipe = region.pipes.openSync<Uint8Array>(name);
      const left: (number | string)[] = [];
      for (let bytes = pipe.tryReceive(); bytes !== undefined; bytes = pipe.tryReceive()) left.push(numberOf(bytes));
      return left;
    });
  };

type RolesOf = (pipes: Pipe<Uint8Array>[]) => Role[];

function story(world: World, options: PipeOptions, rolesOf: RolesOf, unitsBeforeEnd?: number): Story {
  const made = pipes(world, options, unitsBeforeEnd);
  const base = made[0].ref.page * PAGE_BYTES;
  const isBody = (at: number): boolean => at >= base && at < base + PAGE_BYTES;
  return { roles: rolesOf(made), model: queueOf(options.capacity!), after: rest("p"), isBody };
}

export const onPipe = (
  name: string,
  members: number,
  capacity: number,
  rolesOf: RolesOf,
  more: Partial<Scenario> = {},
): Scenario => ({
  name,
  algorithm: "pipe",
  members,
  deaths: 0,
  tell: (world) => story(world, { capacity }, rolesOf),
  ...more,
});

export const PIPE_SCENARIOS: readonly Scenario[] = [
  onPipe("pipe-1-1", 2, 2, ([a, b]) => [sends("sender", a, message, 1, 2), receives("receiver", b, 2)]),
  onPipe("pipe-full", 2, 1, ([a, b]) => [sends("sender", a, message, 1, 2), receives("receiver", b, 2)]),
  onPipe("pipe-2-1", 3, 2, ([a, b, c]) => [
    sends("one", a, message, 1),
    sends("two", b, message, 2),
    receives("receiver", c, 2),
  ]),
  onPipe("pipe-1-2", 3, 2, ([a, b, c]) => [
    sends("sender", a, message, 1, 2),
    receives("one", b, 1),
    receives("two", c, 1),
  ]),
  // The longest message lies just before the end of the ring, so that the next one takes a part of its place.
  {
    ...onPipe("pipe-tight", 2, 1, () => []),
    tell: (world) =>
      story(
        world,
        { capacity: 1 },
        ([a, b]) => [sends("sender", a, messagesOf(504), 1, 2), receives("receiver", b, 2)],
        68,
      ),
  },
  // Figures of one side belong together.
  {
    ...onPipe("pipe-statistics", 2, 2, () => []),
    tell: (world) => {
      const told = story(world, { capacity: 2 }, ([a, b]) => [
        sends("sender", a, message, 1, 2),
        {
          name: "reader",
          run: (call) => {
            call({ name: "look" }, () => {
              const { sent, sentBytes } = b.statistics();
              return sentBytes === sent * message(0).length;
            });
          },
        },
      ]);
      const { model } = told;
      const step: typeof model.step = (state, call, answer, thread) =>
        call.name === "look" ? (answer === true ? [state] : []) : model.step(state, call, answer, thread);
      return { ...told, model: { ...model, step } };
    },
  },
  // A recovery left the hint, although nothing was returned.
  {
    ...onPipe("pipe-hint", 2, 2, () => []),
    tell: (world) =>
      story(world, { capacity: 2 }, ([a, b]) => {
        world.machine.words[(a.ref.page * PAGE_BYTES + PIPE.at.returnedHint) / 4] = 1;
        return [sends("sender", a, message, 1), receives("receiver", b, 1)];
      }),
  },
  // Whoever gives up waiting passes on a ring that was meant for it.
  onPipe("pipe-deadline", 3, 2, ([a, b, c]) => [
    sends("sender", a, message, 1, 2),
    {
      name: "impatient",
      hasDeadline: true,
      run: (call) => call(RECEIVE, () => within((options) => numberOf(b.receiveSync(options)))),
    },
    receives("patient", c, 1),
  ]),
  // The same with nobody who would ring the other one later.
  onPipe("pipe-deadlines", 3, 2, ([a, b, c]) => [
    sends("sender", a, message, 1),
    impatiently("one", RECEIVE, (options) => numberOf(b.receiveSync(options))),
    impatiently("two", RECEIVE, (options) => numberOf(c.receiveSync(options))),
  ]),
  {
    ...onPipe("pipe-full-deadlines", 3, 1, () => []),
    tell: (world) => {
      const told = story(world, { capacity: 1 }, ([a, b, c]) => {
        a.sendSync(message(1));
        return [
          receives("receiver", a, 1),
          impatiently("two", send(2), (options) => b.sendSync(message(2), options)),
          impatiently("three", send(3), (options) => c.sendSync(message(3), options)),
        ];
      });
      return { ...told, model: { ...told.model, initial: [1] } };
    },
  },
  onPipe(
    "pipe-sender-dies",
    3,
    1,
    ([a, b, c]) => [
      sends("mortal", a, message, 1),
      survivor(sends("sender", b, message, 2)),
      survivor(receives("receiver", c, 1)),
    ],
    { deaths: 1 },
  ),
  onPipe(
    "pipe-receiver-dies",
    3,
    1,
    ([a, b, c]) => [
      receives("mortal", a, 1),
      survivor(sends("sender", b, message, 1, 2)),
      survivor(receives("receiver", c, 1)),
    ],
    { deaths: 1 },
  ),
];
