import { Region, ShmkitError, type MemberInfo, type Mutex, type MutexGuard, type Pipe } from "#shmkit";
import { CommandError } from "./exit-codes.js";
import type { Patience } from "./patience.js";

/** What a stream carries: `send` without and with `--bytes`. */
export type Content = "lines" | "bytes";

/** A sender's end counts; others take part without a say in when the stream ends. */
type Role = "sender" | "other";

/** Words of the mutex: what the stream carries, how many senders broke off, how many receivers came, then one per party. */
const WORD = { content: 0, broken: 1, receivers: 2, firstParty: 3, lastParty: 63 } as const;
const CONTENT_CODES = { lines: 1, bytes: 2 } as const;
/** A party's word: generation (22 bits), role (1), slot (8) of its member. A generation is never 0. */
const SENDER = 0x100;
const GENERATION_MASK = 0x3fffff;
const RETRY_MS = 10;
/** Looks for others between two at the region itself, each of which maps it once more. */
const LOOKS_FOR_OTHERS = 100;

/** How somebody sends. */
export interface Sending {
  readonly content: Content;
  /** Its end does not end the stream. */
  readonly endless: boolean;
  /** Capacity that an existing pipe must have. */
  readonly capacity: number | undefined;
  /** Capacity of a pipe that is made here, if that does not matter. */
  readonly usualCapacity: number;
}

interface Party {
  readonly word: number;
  readonly member: number;
  readonly role: Role;
  readonly alive: boolean;
}

/**
 * The stream that `shmkit send` and `shmkit recv` make of a pipe, with a FIFO's end: it ends when the last sender has
 * finished, and the next stream of that name starts afresh.
 *
 * Who takes part stands in the words of a mutex beside the pipe, "NAME (stream)", and changes only under it. A party that
 * dies leaves a word whose member is no longer alive, so nobody has to be asked. A sender that dies, or is stopped by
 * Ctrl-C, counts as broken off, and receivers say so at the end.
 */
export class Stream {
  readonly pipe: Pipe;
  private readonly region: Region;
  private readonly mutex: Mutex;
  private readonly self: number;

  private constructor(region: Region, mutex: Mutex, pipe: Pipe, self: number) {
    this.region = region;
    this.mutex = mutex;
    this.pipe = pipe;
    this.self = self;
  }

  /**
   * Takes part in sending. Makes the pipe if need be; waits while an earlier stream is still being received.
   * @throws ERR_OPTIONS_DIFFER when the stream carries something else, or the pipe has another capacity than asked for
   */
  static send(region: Region, name: string, how: Sending, patience: Patience): Promise<Stream> {
    const role = how.endless ? "other" : "sender";
    return Stream.join(region, name, role, how.content, patience, () => openForSending(region, name, how, patience));
  }

  /** Takes part in receiving; waits for the pipe to appear. */
  static receive(region: Region, name: string, patience: Patience): Promise<Stream> {
    const openPipe = async (): Promise<Pipe | undefined> =>
      unlessCode("ERR_NOT_FOUND", region.pipes.open(name, patience.options()));
    return Stream.join(region, name, undefined, undefined, patience, openPipe);
  }

  /** @param role undefined for a receiver, which waits for the pipe instead of making it */
  private static async join(
    region: Region,
    name: string,
    role: Role | undefined,
    content: Content | undefined,
    patience: Patience,
    openPipe: () => Promise<Pipe | undefined>,
  ): Promise<Stream> {
    const self = keyOf(region.members().find(({ slot }) => slot === region.slot)!);
    for (;;) {
      if (role === undefined) {
        const look = (): void => checkRegion(region);
        await patience.wait(
          `waiting for ${region.name}/${name}`,
          (o) => region.pipes.open(name, { wait: true, ...o }),
          look,
        );
      }
      const { mutex, guard } = await lock(region, name, patience);
      try {
        const parties = partiesOf(guard, region.members());
        const pipe = await openPipe();
        if (pipe !== undefined && !isOver(pipe)) {
          if (content !== undefined) agree(guard, content, pipe);
          guard.set(freeWord(guard, parties), self | (role === "sender" ? SENDER : 0));
          if (role === undefined) guard.set(WORD.receivers, guard.get(WORD.receivers) + 1);
          return new Stream(region, mutex, pipe, self);
        }
        // An earlier stream has ended. The last party removes it; if there is none any more, that is left to us.
        if (pipe !== undefined && !parties.some(({ alive }) => alive)) {
          await region.pipes.remove(name, patience.options());
          for (let word = 0; word <= WORD.lastParty; word++) guard.set(word, 0);
        }
        pipe?.detach();
      } finally {
        guard.release();
      }
      await patience.pause(RETRY_MS);
    }
  }

  /** Waits until somebody has come to receive, without whom an empty stream would end unseen. */
  async waitForReceiver(patience: Patience): Promise<void> {
    for (let look = 1; ; look++) {
      const guard = await this.mutex.lock(patience.options());
      const receivers = guard.get(WORD.receivers);
      guard.release();
      if (receivers > 0 || this.pipe.statistics().waitingReceivers > 0) return;
      if (look % LOOKS_FOR_OTHERS === 0) checkRegion(this.region);
      await patience.pause(RETRY_MS);
      patience.check(`waiting for somebody to receive from ${this.pipe.address}`);
    }
  }

  /**
   * This sender sends nothing more; the last one closes the pipe.
   * @param complete false when it broke off
   */
  async finishSending(complete: boolean, patience: Patience): Promise<void> {
    const guard = await this.mutex.lock(patience.options());
    try {
      const parties = partiesOf(guard, this.region.members());
      if (!complete) guard.set(WORD.broken, guard.get(WORD.broken) + 1);
      // From here on this party is no sender any more, but still uses the pipe.
      for (const { word, member } of parties) if (member === this.self) guard.set(word, this.self);
      guard.commit();
      if (!parties.some(({ role, alive, member }) => role === "sender" && alive && member !== this.self))
        await this.pipe.close(patience.options());
    } finally {
      guard.release();
    }
  }

  /** Closes the pipe when every sender that takes part has died, so that whoever receives comes to an end. */
  async closeIfAbandoned(patience: Patience): Promise<void> {
    const guard = await this.mutex.lock(patience.options());
    try {
      const senders = partiesOf(guard, this.region.members()).filter(({ role }) => role === "sender");
      if (senders.length === 0 || senders.some(({ alive }) => alive)) return;
      guard.set(WORD.broken, guard.get(WORD.broken) + senders.length);
      for (const { word } of senders) guard.set(word, 0);
      guard.commit();
      await this.pipe.close(patience.options());
    } finally {
      guard.release();
    }
  }

  /**
   * Leaves; the last party removes what has ended. The pipe only if nobody else is in the region: a program that has it
   * open must come to its end, and the next stream of the name replaces it. Answers how many senders broke off.
   */
  async leave(patience: Patience): Promise<number> {
    const { region, mutex, pipe, self } = this;
    const guard = await mutex.lock(patience.options());
    let broken: number;
    try {
      const members = region.members();
      const parties = partiesOf(guard, members);
      broken = guard.get(WORD.broken) + parties.filter(({ role, alive }) => role === "sender" && !alive).length;
      guard.set(WORD.broken, broken);
      for (const { word, alive, member } of parties) if (!alive || member === self) guard.set(word, 0);
      guard.commit();
      const last = isOver(pipe) && !parties.some(({ alive, member }) => alive && member !== self);
      if (last && !members.some((member) => member.alive && keyOf(member) !== self))
        await region.pipes.remove(pipe.name, patience.options());
      // While it is locked: whoever had it afterwards would take part in a stream by a mutex that goes away.
      if (last) await region.mutexes.remove(mutex.name, patience.options());
    } finally {
      guard.release();
    }
    pipe.detach();
    mutex.detach();
    return broken;
  }

  /** @throws ERR_CLOSED when the region's name was taken away: then nobody can join any more */
  checkRegion(): void {
    checkRegion(this.region);
  }
}

/** The region's name was taken away: nobody can join it any more. */
export class RegionRemoved extends CommandError {
  constructor(name: string) {
    super("ERR_CLOSED", `the region ${name} was removed meanwhile`, 1);
  }
}

function checkRegion(region: Region): void {
  let epoch: string | undefined;
  try {
    epoch = Region.inspect(region.name)?.epoch;
  } catch (error) {
    if (!(error instanceof ShmkitError)) throw error;
  }
  if (epoch !== region.epoch) throw new RegionRemoved(region.name);
}

async function unlessCode<T>(code: string, result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if (error instanceof ShmkitError && error.code === code) return undefined;
    throw error;
  }
}

const keyOf = ({ generation, slot }: MemberInfo): number => ((generation & GENERATION_MASK) << 9) | slot;

function partiesOf(guard: MutexGuard, members: readonly MemberInfo[]): Party[] {
  const alive = new Set(members.filter((member) => member.alive).map(keyOf));
  const parties: Party[] = [];
  for (let word = WORD.firstParty; word <= WORD.lastParty; word++) {
    const value = guard.get(word);
    const member = value & ~SENDER;
    if (value !== 0)
      parties.push({ word, member, role: member === value ? "other" : "sender", alive: alive.has(member) });
  }
  return parties;
}

/** A word for a new party; that of a dead one if none is free. Those of dead senders are still to be told of. */
function freeWord(guard: MutexGuard, parties: readonly Party[]): number {
  for (let word = WORD.firstParty; word <= WORD.lastParty; word++) if (guard.get(word) === 0) return word;
  const dead = parties.find(({ role, alive }) => role === "other" && !alive);
  if (dead !== undefined) return dead.word;
  const most = WORD.lastParty - WORD.firstParty + 1;
  throw new CommandError("ERR_TOO_MANY_MEMBERS", `a stream has at most ${most} parties at a time`, 1);
}

/** What the stream carries: the first sender says it, the others must agree. @throws ERR_OPTIONS_DIFFER */
function agree(guard: MutexGuard, content: Content, pipe: Pipe): void {
  const code = guard.get(WORD.content);
  const known = code === CONTENT_CODES.bytes ? "bytes" : code === CONTENT_CODES.lines ? "lines" : undefined;
  if (known !== undefined && known !== content)
    throw new CommandError("ERR_OPTIONS_DIFFER", `${pipe.address} carries ${known} now, not ${content}`, 1);
  guard.set(WORD.content, CONTENT_CODES[content]);
}

/** Whether a stream has come to its end: closed, and everything received. */
function isOver(pipe: Pipe): boolean {
  const { closed, depth, leased } = pipe.statistics();
  return closed && depth === 0 && leased === 0;
}

/** The stream's mutex, locked. Its last party may remove it at any time: then it is made again. */
async function lock(region: Region, name: string, patience: Patience): Promise<{ mutex: Mutex; guard: MutexGuard }> {
  for (;;) {
    const mutex = await region.mutex(`${name} (stream)`, { words: WORD.lastParty + 1, ...patience.options() });
    const guard = await unlessCode("ERR_CLOSED", mutex.lock(patience.options()));
    if (guard !== undefined) return { mutex, guard };
    mutex.detach();
    await patience.pause(1);
  }
}

async function openForSending(
  region: Region,
  name: string,
  { capacity, usualCapacity }: Sending,
  patience: Patience,
): Promise<Pipe> {
  if (capacity !== undefined) return region.pipe(name, { capacity, ...patience.options() });
  for (;;) {
    const existing = await unlessCode("ERR_NOT_FOUND", region.pipes.open(name, patience.options()));
    if (existing !== undefined) return existing;
    const made = await unlessCode(
      "ERR_EXISTS",
      region.pipes.create(name, { capacity: usualCapacity, ...patience.options() }),
    );
    if (made !== undefined) return made;
  }
}
