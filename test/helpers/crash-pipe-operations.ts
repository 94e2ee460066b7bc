/** Operations on pipes. */
import assert from "node:assert/strict";
import { select, trySelect, type Lease, type PipeOptions } from "shmkit";
import { HEADER } from "#src/members/region-words.js";
import { passTime, whileParked } from "../instruments/system.js";
import type { CrashOperation } from "./crash-explore.js";
import { handSignal, ignore, refuses } from "./crash-calls.js";
import { bytes, delivered, object, PipeStage, type Message } from "./crash-messages.js";
import { operation, touchMarker, type Scene, type WorldKind } from "./crash-scene.js";
import type { Actor, World } from "./crash-world.js";

/** Does not grow; room for one pipe with all its blocks. */
const SMALL: WorldKind = { options: { size: "384KiB", maxSize: "384KiB" } };

/** Longer than any record. */
const BLOCK = 20_000;
/** Nearly what a record can hold. */
const LARGE = 500;
const OBJECT = "letters";

function onPipe(
  name: string,
  covers: readonly string[],
  options: PipeOptions,
  prepare: (stage: PipeStage) => Scene,
): CrashOperation {
  return operation(`pipe ${name}`, covers, SMALL, (world) => {
    const stage = new PipeStage(world, options);
    // Leases that nobody will ever settle go back with the handle.
    const goOn = (): void => {
      touchMarker(world.victim);
      stage.mine.detach();
    };
    return { goOn, ...prepare(stage) };
  });
}

// Sending.

function sends(stage: PipeStage, message: Message, act: () => void, more: Partial<Scene> = {}): Scene {
  return {
    act,
    claims: ["pipe.send"],
    object: OBJECT,
    effect: (witness) => stage.outcome(witness, stage.pending, [...stage.pending, message]),
    ...more,
  };
}

const trySends = (stage: PipeStage, message: Message): Scene =>
  sends(stage, message, () => assert.equal(stage.mine.trySend(message.value), true));

/** Sends that find the pipe full and wait. */
function sendsLater(stage: PipeStage, message: Message, meanwhile: () => void): Scene {
  return sends(stage, message, () => {
    whileParked(meanwhile);
    stage.mine.sendSync(message.value);
  });
}

/** The same with a lock that somebody holds meanwhile. */
const held = (letGo: () => void, scene: (letGo: () => void) => Scene): Scene => ({ ...scene(letGo), settle: letGo });

const FULL = [bytes(1, 30), object(2), bytes(3, 3)];

/** Blocks of another pipe, until hardly any is left. */
function fillHeap(world: World): { free: () => void } {
  const hoard = new PipeStage(world, { capacity: 1, maxLeased: 1 }, "hoard");
  const free = world.first.do(() => world.first.region.statistics().largestFreeBytes);
  hoard.fill(bytes(9, free - 8192));
  return { free: () => hoard.take() };
}

const SENDING: CrashOperation[] = [
  onPipe("send inline", ["Pipe.trySend"], {}, (stage) => trySends(stage.fill(bytes(1, 10)), bytes(2, 300))),
  onPipe("send a value", ["Pipe.sendSync"], {}, (stage) =>
    sends(stage, object(7), () => stage.mine.sendSync(object(7).value)),
  ),
  onPipe("send nothing", ["Pipe.sendBytesSync"], {}, (stage) =>
    sends(stage, bytes(0, 0), () => stage.mine.sendBytesSync(new Uint8Array(0))),
  ),
  onPipe("send in a block", ["Pipe.trySend"], {}, (stage) =>
    trySends(stage.fill(bytes(1, BLOCK), object(2)), bytes(3, BLOCK + 5000)),
  ),
  onPipe("send in a block, and leave when cut off", ["Pipe.trySend"], {}, (stage) => ({
    ...trySends(stage.fill(object(2)), bytes(3, BLOCK)),
    goOn: () => stage.world.victim.region.closeSync(),
  })),
  onPipe("send in a block in vain", ["Pipe.trySend"], {}, (stage) => {
    // Two free runs side by side, of which the search begins at the second.
    stage.fill(bytes(1, BLOCK)).take();
    stage.fill(object(2));
    const free = stage.world.first.do(() => stage.world.first.region.statistics().largestFreeBytes);
    const message = bytes(3, free + 4096);
    return sends(stage, message, () => assert.equal(stage.mine.trySend(message.value), false), { refused: true });
  }),
  onPipe("send past the end of the ring", ["Pipe.trySend"], {}, (stage) =>
    trySends(stage.startAt(6, stage.ringUnits - 5).fill(bytes(1, 10)), bytes(2, 300)),
  ),
  onPipe("send to the very end of the ring", ["Pipe.trySend"], {}, (stage) =>
    trySends(stage.startAt(7, stage.ringUnits - 3), bytes(2, 16)),
  ),
  onPipe("send when the counters wrap", ["Pipe.trySend"], {}, (stage) =>
    trySends(stage.startAt(-2, -4).fill(bytes(1, 10)), bytes(2, 300)),
  ),
  onPipe("send into a full pipe", ["Pipe.sendSync"], {}, (stage) =>
    sendsLater(stage.fill(...FULL), bytes(4, 50), () => stage.take()),
  ),
  onPipe("send while another sends", ["Pipe.sendSync"], {}, (stage) =>
    held(stage.fill(object(1)).hold("tailLock"), (letGo) => sendsLater(stage, bytes(4, 50), letGo)),
  ),
  onPipe("send in a block while another allocates", ["Pipe.sendSync"], {}, (stage) =>
    held(stage.world.hold(HEADER.heapLock), (letGo) => sendsLater(stage, bytes(4, BLOCK), letGo)),
  ),
  onPipe("send in a block into a full region", ["Pipe.sendSync"], {}, (stage) =>
    sendsLater(stage, bytes(4, BLOCK), fillHeap(stage.world).free),
  ),
  onPipe("send into a full pipe in vain", ["Pipe.trySend"], {}, (stage) => ({
    ...sends(stage.fill(...FULL), bytes(4, 50), () => assert.equal(stage.mine.trySend(bytes(4, 50).value), false)),
    refused: true,
  })),
  onPipe("send until the deadline", ["Pipe.sendSync"], {}, (stage) =>
    sends(
      stage.fill(...FULL),
      bytes(4, 50),
      () => refuses("ERR_TIMEOUT", () => stage.mine.sendSync(bytes(4, 50).value, { timeoutMs: 20 })),
      {
        refused: true,
      },
    ),
  ),
  onPipe("send what can never fit", ["Pipe.trySend"], {}, (stage) =>
    sends(
      stage,
      bytes(4, 500_000),
      () => refuses("ERR_MESSAGE_TOO_LARGE", () => stage.mine.trySend(bytes(4, 500_000).value)),
      { refused: true },
    ),
  ),
  onPipe("send into a closed pipe", ["Pipe.trySend"], {}, (stage) => {
    stage.fill(bytes(1, 10));
    stage.world.first.do(() => stage.others.closeSync());
    return sends(stage, bytes(4, 50), () => refuses("ERR_CLOSED", () => stage.mine.trySend(bytes(4, 50).value)), {
      refused: true,
    });
  }),
  onPipe("send asynchronously into a full pipe", ["Pipe.send"], {}, (stage) =>
    sends(
      stage.fill(...FULL),
      bytes(4, 50),
      () => {
        ignore(stage.mine.send(bytes(4, 50).value));
        stage.take();
        stage.world.victim.bell();
      },
      { pending: true },
    ),
  ),
  onPipe("abort a send", ["Pipe.send"], {}, (stage) => {
    const { signal, abort } = handSignal();
    const act = (): void => {
      ignore(stage.mine.send(bytes(4, 50).value, { signal }));
      ignore(stage.mine.send(bytes(5, 50).value));
      abort();
    };
    return sends(stage.fill(...FULL), bytes(4, 50), act, { pending: true, refused: true });
  }),
];

// Receiving.

function receives(stage: PipeStage, act: () => unknown, more: Partial<Scene> = {}): Scene {
  const [first] = stage.pending;
  return {
    act: () => {
      const value = act();
      if (more.refused !== true && first !== undefined) assert.deepEqual(value, first.value);
    },
    claims: ["pipe.receive"],
    object: OBJECT,
    effect: (witness) => stage.outcome(witness, stage.pending, stage.pending.slice(1)),
    ...more,
  };
}

const tryReceives = (stage: PipeStage, more: Partial<Scene> = {}): Scene =>
  receives(stage, () => stage.mine.tryReceive(), more);

function receivesInto(stage: PipeStage): Scene {
  return receives(stage, () => {
    const target = new Uint8Array(2 * BLOCK);
    return target.subarray(0, stage.mine.receiveIntoSync(target));
  });
}

/** Receives that find the pipe empty: what somebody sends meanwhile is there or was received. */
function receivesLater(stage: PipeStage, message: Message, receive: () => unknown, more: Partial<Scene> = {}): Scene {
  return {
    act: () => {
      whileParked(() => {
        if (stage.pending.length === 0) stage.put(message);
      });
      receive();
    },
    claims: ["pipe.receive"],
    object: OBJECT,
    effect: (witness) =>
      stage.pending.length === 0 ? stage.outcome(witness, [], [message]) : stage.outcome(witness, stage.pending, []),
    ...more,
  };
}

const RETURNED: Partial<Scene> = { claims: ["pipe.receive-returned"] };

const RECEIVING: CrashOperation[] = [
  onPipe("receive bytes", ["Pipe.tryReceive"], {}, (stage) => tryReceives(stage.fill(bytes(1, 300), object(2)))),
  onPipe("receive a value", ["Pipe.receiveSync"], {}, (stage) =>
    receives(stage.fill(object(1), bytes(2, 3)), () => stage.mine.receiveSync()),
  ),
  onPipe("receive nothing", ["Pipe.tryReceive"], {}, (stage) => tryReceives(stage.fill(bytes(1, 0)))),
  onPipe("receive from a block", ["Pipe.tryReceive"], {}, (stage) =>
    tryReceives(stage.fill(bytes(1, BLOCK), bytes(2, BLOCK))),
  ),
  onPipe("receive past the end of the ring", ["Pipe.tryReceive"], {}, (stage) =>
    tryReceives(stage.startAt(6, stage.ringUnits - 5).fill(bytes(1, 300), bytes(2, 10))),
  ),
  onPipe("receive when the counters wrap", ["Pipe.tryReceive"], {}, (stage) =>
    tryReceives(stage.startAt(-1, -8).fill(bytes(1, 40), bytes(2, 10))),
  ),
  onPipe("receive into a target", ["Pipe.receiveIntoSync"], {}, (stage) =>
    receivesInto(stage.fill(bytes(1, 300), object(2))),
  ),
  onPipe("receive from a block into a target", ["Pipe.receiveIntoSync"], {}, (stage) =>
    receivesInto(stage.fill(bytes(1, BLOCK), object(2))),
  ),
  onPipe("receive into a target that is too small", ["Pipe.receiveIntoSync"], {}, (stage) =>
    receives(
      stage.fill(bytes(1, BLOCK)),
      () => refuses("ERR_OUT_OF_RANGE", () => stage.mine.receiveIntoSync(new Uint8Array(5))),
      { refused: true },
    ),
  ),
  onPipe("receive from an empty pipe", ["Pipe.receiveSync"], {}, (stage) =>
    receivesLater(stage, bytes(1, 60), () => stage.mine.receiveSync()),
  ),
  onPipe("receive while another receives", ["Pipe.receiveSync"], {}, (stage) =>
    held(stage.fill(bytes(1, 60)).hold("headLock"), (letGo) =>
      receives(stage, () => {
        whileParked(letGo);
        return stage.mine.receiveSync();
      }),
    ),
  ),
  onPipe("receive until the deadline", ["Pipe.receiveSync"], {}, (stage) => ({
    act: () => refuses("ERR_TIMEOUT", () => stage.mine.receiveSync({ timeoutMs: 20 })),
    claims: [],
    effect: (witness) => stage.outcome(witness, [], []),
  })),
  onPipe("receive asynchronously", ["Pipe.receive"], {}, (stage) =>
    receivesLater(
      stage,
      bytes(1, 60),
      () => {
        ignore(stage.mine.receive());
        stage.put(bytes(1, 60));
        stage.world.victim.bell();
      },
      { pending: true },
    ),
  ),
  onPipe("select what is there", ["trySelect"], {}, (stage) =>
    receives(stage.fill(object(1), bytes(2, 3)), () => trySelect([stage.mine])?.value),
  ),
  onPipe("select asynchronously", ["select"], {}, (stage) =>
    receivesLater(
      stage,
      bytes(1, 60),
      () => {
        ignore(select([stage.mine]));
        stage.put(bytes(1, 60));
        stage.world.victim.bell();
      },
      { pending: true },
    ),
  ),
  onPipe("receive asynchronously into a target", ["Pipe.receiveInto"], {}, (stage) =>
    receivesLater(
      stage,
      bytes(1, 60),
      () => {
        ignore(stage.mine.receiveInto(new Uint8Array(100)));
        stage.put(bytes(1, 60));
        stage.world.victim.bell();
      },
      { pending: true },
    ),
  ),
  onPipe("abort a receive", ["Pipe.receive"], {}, (stage) => {
    const { signal, abort } = handSignal();
    const act = (): void => {
      ignore(stage.mine.receive({ signal }));
      ignore(stage.mine.receive({ lease: true }));
      abort();
    };
    return { act, claims: [], pending: true, effect: (witness) => stage.outcome(witness, [], []) };
  }),
  onPipe("let a receive expire", ["Pipe.receive"], {}, (stage) => {
    const act = (): void => {
      ignore(stage.mine.receive({ timeoutMs: 1 }));
      passTime(5);
      stage.world.victim.bell();
    };
    return { act, claims: [], pending: true, effect: (witness) => stage.outcome(witness, [], []) };
  }),
  onPipe("receive in vain where recovery left a hint", ["Pipe.tryReceive"], {}, (stage) => {
    stage.hint();
    const act = (): void => {
      assert.equal(stage.mine.tryReceive(), undefined);
      assert.equal(stage.get("returnedHint"), 0, "nothing is returned any more");
    };
    return { act, claims: ["pipe.receive"], refused: true, effect: (witness) => stage.outcome(witness, [], []) };
  }),
  onPipe("receive asynchronously, one after the other", ["Pipe.receive"], {}, (stage) => {
    const { victim } = stage.world;
    const act = (): void => {
      for (const number of [1, 2]) {
        ignore(stage.mine.receive());
        stage.put(bytes(number, 60));
        victim.bell();
        victim.membership.member.checkUsable();
        assert.equal(stage.get("received"), number, "the bell was heard");
      }
    };
    const effect = (witness: Actor): undefined => void stage.outcome(witness, stage.pending.slice(-1), []);
    return { act, claims: ["pipe.receive"], pending: true, effect };
  }),
  onPipe("receive asynchronously though nobody rang", ["Pipe.receive"], {}, (stage) => {
    const { waits, member } = stage.world.victim.membership;
    const act = (): void => {
      ignore(stage.mine.receive());
      stage.put(bytes(1, 60));
      waits.drain(true);
      if (stage.world.victim.agent.isStopped) return;
      member.checkUsable();
      assert.equal(stage.get("received"), 1, "it was looked at");
    };
    const effect = (witness: Actor): undefined => void stage.outcome(witness, stage.pending, []);
    return { act, claims: ["pipe.receive"], pending: true, effect };
  }),
  onPipe("wait for a message, and leave when cut off", ["Pipe.receiveSync"], {}, (stage) => ({
    act: () => refuses("ERR_TIMEOUT", () => stage.mine.receiveSync({ timeoutMs: 20 })),
    claims: [],
    goOn: () => stage.world.victim.region.closeSync(),
    effect: (witness) => stage.outcome(witness, [], []),
  })),
  onPipe("receive a returned message", ["Pipe.tryReceive"], {}, (stage) =>
    tryReceives(stage.fill(bytes(1, 30), bytes(2, 30)).giveBack(), RETURNED),
  ),
  onPipe("receive one of two returned messages", ["Pipe.tryReceive"], {}, (stage) =>
    tryReceives(stage.fill(bytes(1, LARGE), object(2), object(3)).giveBack(2), RETURNED),
  ),
  onPipe("receive a returned message from a block", ["Pipe.tryReceive"], {}, (stage) =>
    tryReceives(stage.fill(bytes(1, BLOCK), bytes(2, 30)).giveBack(), RETURNED),
  ),
  onPipe("receive a returned message into a target", ["Pipe.receiveIntoSync"], {}, (stage) => ({
    ...receivesInto(stage.fill(bytes(1, LARGE), bytes(2, 30)).giveBack()),
    ...RETURNED,
  })),
  onPipe("receive a returned message into a target that is too small", ["Pipe.receiveIntoSync"], {}, (stage) =>
    receives(
      stage.fill(bytes(1, LARGE), bytes(2, 30)).giveBack(),
      () => refuses("ERR_OUT_OF_RANGE", () => stage.mine.receiveIntoSync(new Uint8Array(5))),
      { refused: true, claims: [] },
    ),
  ),
];

// Leases.

/** Taking a message under lease: whoever dies with it has it delivered once more. */
function leases(stage: PipeStage, claims: Scene["claims"], take: () => Lease<unknown> | undefined): Scene {
  const [first, ...rest] = stage.pending;
  const [before] = first.deliveries;
  // An attempt that died before it held the message may have counted.
  const without = delivered(first, before, ...(claims[0] === "pipe.lease-returned" ? [before + 1] : []));
  return {
    act: () => {
      const lease = take();
      assert.deepEqual(lease?.value, first.value);
      assert.equal(lease?.deliveries, before);
    },
    claims,
    object: OBJECT,
    effect: (witness) => {
      const held = stage.get("redelivered");
      const outcome = stage.outcome(witness, [without, ...rest], [delivered(first, before + 1), ...rest]);
      return held > 0 && claims[0] === "pipe.lease-returned" ? undefined : outcome;
    },
  };
}

function tryLeases(stage: PipeStage): Scene {
  return leases(stage, ["pipe.lease"], () => stage.mine.tryReceive({ lease: true }));
}

function leasesReturned(stage: PipeStage): Scene {
  return leases(stage, ["pipe.lease-returned"], () => stage.mine.tryReceive({ lease: true }));
}

/** The victim holds the first messages; it settles the first of them. */
function holding(
  stage: PipeStage,
  claim: Scene["claims"],
  settle: (lease: Lease<unknown>) => void,
  having: "gone" | "back",
  count = 1,
): Scene {
  const [lease] = holds(stage, count);
  const back = stage.pending;
  let wasHeld: boolean | undefined;
  return {
    act: () => settle(lease),
    claims: claim,
    object: OBJECT,
    atDeath: () => (wasHeld = stage.isHeld(0)),
    effect: (witness) => {
      const isGone = stage.outcome(witness, back, having === "gone" ? back.slice(1) : back);
      // Given back by its holder or by the holder's death: afterwards nobody can tell.
      return isGone ?? (wasHeld === undefined ? undefined : !wasHeld);
    },
  };
}

/** The victim takes so many messages under lease, which come back when it dies. */
function holds(stage: PipeStage, count = 1): Lease<unknown>[] {
  const leases = Array.from({ length: count }, () =>
    stage.world.victim.do(() => stage.mine.tryReceive({ lease: true })!),
  );
  stage.pending = stage.pending.map((message, i) => (i < count ? delivered(message, 2) : message));
  return leases;
}

/** The victim holds the first message, and the second one was given back by somebody else. */
function holdsBeside(stage: PipeStage): void {
  stage.fill(bytes(1, 100), object(2), object(3));
  holds(stage);
  stage.world.first.do(() => stage.others.tryReceive({ lease: true })!.nack());
}

const acks = (stage: PipeStage): Scene => holding(stage, ["pipe.ack"], (lease) => lease.ack(), "gone");
const nacks = (stage: PipeStage): Scene => holding(stage, ["pipe.nack"], (lease) => lease.nack(), "back");

const LEASING: CrashOperation[] = [
  onPipe("lease", ["Pipe.tryReceive"], {}, (stage) => tryLeases(stage.fill(bytes(1, 100), object(2)))),
  onPipe("lease a value", ["Pipe.receiveSync"], {}, (stage) =>
    leases(stage.fill(object(1), object(2)), ["pipe.lease"], () => stage.mine.receiveSync({ lease: true })),
  ),
  onPipe("lease a long message", ["Pipe.tryReceive"], {}, (stage) => tryLeases(stage.fill(bytes(1, LARGE), object(2)))),
  onPipe("lease what is in a block", ["Pipe.tryReceive"], {}, (stage) =>
    tryLeases(stage.fill(bytes(1, BLOCK), object(2))),
  ),
  // Nothing comes between the cut and the look at what is held.
  onPipe("lease, and give the handle up when cut off", ["Pipe.tryReceive"], {}, (stage) => ({
    ...tryLeases(stage.fill(bytes(1, 100), object(2))),
    goOn: () => stage.mine.detach(),
  })),
  onPipe("lease past the end of the ring", ["Pipe.tryReceive"], {}, (stage) =>
    tryLeases(stage.startAt(6, stage.ringUnits - 5).fill(bytes(1, 300), bytes(2, 10))),
  ),
  onPipe("lease when the counters wrap", ["Pipe.tryReceive"], {}, (stage) =>
    tryLeases(stage.startAt(-1, -8).fill(bytes(1, LARGE), bytes(2, 10))),
  ),
  onPipe("lease a returned message", ["Pipe.tryReceive"], {}, (stage) =>
    leasesReturned(stage.fill(bytes(1, 100), object(2)).giveBack()),
  ),
  onPipe("lease one of two returned messages", ["Pipe.tryReceive"], {}, (stage) =>
    leasesReturned(stage.fill(bytes(1, LARGE), object(2), object(3)).giveBack(2)),
  ),
  onPipe("lease when all leases are out", ["Pipe.receiveSync"], { maxLeased: 1 }, (stage) => {
    const { actors } = stage.fill(bytes(1, 10), bytes(2, 20), object(3)).world;
    const holder = actors.at(-1)!;
    const out = holder.do(() => holder.region.pipes.openSync(stage.name).tryReceive({ lease: true }))!;
    stage.pending.shift();
    const settle = (): void => holder.do(() => void (out.isSettled || out.ack()));
    const act = (): Lease<unknown> => {
      whileParked(settle);
      return stage.mine.receiveSync({ lease: true });
    };
    return { ...leases(stage, ["pipe.lease"], act), settle };
  }),
  onPipe("lease a second message", ["Pipe.tryReceive"], {}, (stage) => {
    holds(stage.fill(bytes(1, 100), object(2), object(3)));
    const [first, second, third] = stage.pending;
    return {
      act: () => assert.deepEqual(stage.mine.tryReceive({ lease: true })?.value, second.value),
      claims: ["pipe.lease"],
      object: OBJECT,
      effect: (witness) => stage.outcome(witness, stage.pending, [first, delivered(second, 2), third]),
    };
  }),
  onPipe("lease a returned message beside another", ["Pipe.tryReceive"], {}, (stage) => {
    holdsBeside(stage);
    const [first, second, third] = stage.pending;
    let isHeld: boolean | undefined;
    return {
      act: () => assert.deepEqual(stage.mine.tryReceive({ lease: true })?.value, second.value),
      claims: ["pipe.lease-returned"],
      object: OBJECT,
      atDeath: () => (isHeld = stage.isHeld(1)),
      effect: (witness) => {
        const out = [first, delivered(second, 2, 3), third];
        stage.outcome(witness, out, out);
        return isHeld;
      },
    };
  }),
  onPipe("receive a returned message beside one on lease", ["Pipe.tryReceive"], {}, (stage) => {
    holdsBeside(stage);
    const [first, second, third] = stage.pending;
    return {
      act: () => assert.deepEqual(stage.mine.tryReceive(), second.value),
      claims: ["pipe.receive-returned"],
      object: OBJECT,
      effect: (witness) => stage.outcome(witness, [first, delivered(second, 2), third], [first, third]),
    };
  }),
  onPipe("ack one of two", ["Lease.ack"], {}, (stage) =>
    holding(stage.fill(bytes(1, 100), object(2)), ["pipe.ack"], (lease) => lease.ack(), "gone", 2),
  ),
  onPipe("nack one of two", ["Lease.nack"], {}, (stage) =>
    holding(stage.fill(bytes(1, 100), object(2)), ["pipe.nack"], (lease) => lease.nack(), "back", 2),
  ),
  onPipe("ack", ["Lease.ack"], {}, (stage) => acks(stage.fill(bytes(1, 100), object(2)))),
  onPipe("ack what has a block", ["Lease.ack"], {}, (stage) => acks(stage.fill(bytes(1, BLOCK), object(2)))),
  onPipe("ack the last message", ["Lease.ack"], {}, (stage) => acks(stage.fill(bytes(1, BLOCK)))),
  onPipe("nack", ["Lease.nack"], {}, (stage) => nacks(stage.fill(bytes(1, 100), object(2)))),
  onPipe("nack what has a block", ["Lease.nack"], {}, (stage) => nacks(stage.fill(bytes(1, BLOCK), object(2)))),
  onPipe("dispose of a lease", ["Lease.[Symbol.dispose]"], {}, (stage) =>
    holding(stage.fill(object(1)), ["pipe.nack"], (lease) => lease[Symbol.dispose](), "back"),
  ),
];

// The pipe as a whole.

const closed = (stage: PipeStage, witness: Actor): boolean => {
  const { isClosed } = witness.region.pipes.openSync(stage.name);
  stage.outcome(witness, stage.pending, stage.pending);
  return isClosed;
};

const WHOLE: CrashOperation[] = [
  onPipe("close", ["Pipe.closeSync"], {}, (stage) => {
    stage.fill(object(1), bytes(2, BLOCK));
    return {
      act: () => stage.mine.closeSync(),
      claims: ["pipe.close"],
      object: OBJECT,
      effect: (witness) => closed(stage, witness),
    };
  }),
  onPipe("close asynchronously", ["Pipe.close"], {}, (stage) => {
    stage.fill(object(1));
    return {
      act: () => ignore(stage.mine.close()),
      claims: ["pipe.close"],
      object: OBJECT,
      effect: (witness) => closed(stage, witness),
    };
  }),
  onPipe("close while another sends", ["Pipe.closeSync"], {}, (stage) => {
    const settle = stage.fill(object(1)).hold("tailLock");
    const act = (): void => {
      whileParked(settle);
      stage.mine.closeSync();
    };
    return { act, settle, claims: ["pipe.close"], object: OBJECT, effect: (witness) => closed(stage, witness) };
  }),
  onPipe("block until it is drained", ["Pipe.drainSync"], {}, (stage) => {
    stage.fill(object(1));
    const act = (): void => {
      whileParked(() => stage.take());
      stage.mine.drainSync();
    };
    return { act, claims: [], effect: (witness) => stage.outcome(witness, stage.pending, stage.pending) };
  }),
  onPipe("wait until it is drained", ["Pipe.drain"], {}, (stage) => {
    stage.fill(object(1));
    const act = (): void => {
      ignore(stage.mine.drain());
      stage.take();
      stage.world.victim.bell();
    };
    return {
      act,
      claims: [],
      pending: true,
      effect: (witness) => stage.outcome(witness, stage.pending, stage.pending),
    };
  }),
];

export const PIPE_OPERATIONS: readonly CrashOperation[] = [...SENDING, ...RECEIVING, ...LEASING, ...WHOLE];
