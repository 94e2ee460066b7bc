/**
 * Members as the instrumented double knows them. Each attach has a mapping of its own, so the buffer behind a typed array
 * says whose access it is. Many members live in one thread here, and each can be stopped at any of its steps.
 */

/** What the code of a stopped member throws; the library does not know it. */
class Stop extends Error {
  constructor() {
    super("the member was stopped here");
    this.name = "Stop";
  }
}

/** One for all, since an error costs its stack trace and thousands of members are stopped. */
const STOP = new Stop();

/**
 * `running`; `stopping`: every access throws, until the stopped code has unwound, so that nothing in a `catch` or
 * `finally` gets further than its first access; `dead`: accesses have no effect and read zero.
 */
type State = "running" | "stopping" | "dead";

/** No operation of a test needs so many steps. */
const ENDLESS = 200_000;

/** One member, or whoever else maps the region. */
export class Agent {
  /** Whose system calls are made now; shared words are told by their buffer. */
  static current: Agent | undefined;

  readonly name: string;
  /** Steps made since {@link arm}: accesses to shared words and system calls, a bulk copy counting two. */
  steps = 0;
  /** Numbers of the steps that changed something others can see. Before any other step the world is as before the next of these. */
  readonly changes: number[] = [];
  /** Descriptors, mappings and byte locks (descriptor → offsets) that the system would take back at its death. */
  readonly descriptors = new Set<number>();
  readonly mappings = new Set<number>();
  readonly locks = new Map<number, Set<number>>();
  /** A step that is counted but has no effect: a fault, planted. */
  omitted = 0;
  /** Called at the stop, before anything unwinds. */
  onStop: () => void = () => undefined;
  private stopAt = Number.POSITIVE_INFINITY;
  private loseAt = Number.POSITIVE_INFINITY;
  private onLoss: () => void = () => undefined;
  private state: State = "running";

  constructor(name: string) {
    this.name = name;
  }

  get isDead(): boolean {
    return this.state === "dead";
  }
  /** Stopped or dead: its code may be running, but gets nowhere. */
  get isStopped(): boolean {
    return this.state !== "running";
  }

  /** Counts from now on and stops at the given step, from 1; the step itself does not happen. */
  arm(stopAt = Number.POSITIVE_INFINITY): void {
    this.state = "running";
    this.steps = 0;
    this.changes.length = 0;
    this.stopAt = stopAt;
    this.loseAt = Number.POSITIVE_INFINITY;
    this.omitted = 0;
    this.onStop = () => undefined;
  }

  /** Counts from now on, and has its memory taken away by a call just before the given step. */
  armLoss(loseAt: number, onLoss: () => void): void {
    this.arm();
    this.loseAt = loseAt;
    this.onLoss = onLoss;
  }

  /** A step is about to happen. False when it must have no effect: the member is dead, or a fault is planted here. */
  step(): boolean {
    if (this.state === "stopping") throw STOP;
    if (this.state === "dead") return false;
    if (++this.steps > ENDLESS) throw new Error(`${this.name} made ${ENDLESS} steps: it does not come to an end`);
    if (this.steps === this.loseAt) this.onLoss();
    if (this.steps !== this.stopAt) return this.steps !== this.omitted;
    this.state = "stopping";
    this.onStop();
    throw STOP;
  }

  /** Whether the next step is the one that will not happen. */
  get stopsNext(): boolean {
    return this.steps + 1 === this.stopAt;
  }

  /** The step that was just counted changes what others see. */
  changed(): void {
    this.changes.push(this.steps);
  }

  /**
   * Runs code as this member. False when it was stopped on the way: then it is dead, whether the code threw or swallowed
   * the signal. Other errors pass.
   */
  run(code: () => void): boolean {
    const before = Agent.current;
    Agent.current = this;
    try {
      code();
    } catch (error) {
      if (error !== STOP) throw error;
    } finally {
      Agent.current = before;
      if (this.state === "stopping") this.state = "dead";
    }
    return this.state !== "dead";
  }

  /** Runs code as this member, which must not be stopped on the way. */
  do<T>(code: () => T): T {
    let result: { value: T } | undefined;
    if (!this.run(() => (result = { value: code() }))) throw new Error(`${this.name} was stopped unexpectedly`);
    return result!.value;
  }

  /** Makes it dead: from now on its accesses have no effect. */
  kill(): void {
    this.state = "dead";
  }

  /** Lets it go on after a stop, as code does that a vm timeout has cut off. */
  revive(): void {
    this.state = "running";
    this.stopAt = Number.POSITIVE_INFINITY;
  }
}

const owners = new WeakMap<ArrayBufferLike, Agent>();
/** For mappings made while nobody is current. */
const bystander = new Agent("bystander");
let lastView: ArrayBufferView | undefined;
let lastOwner = bystander;

/** The member of a new mapping. */
export function adopt(buffer: ArrayBufferLike, owner: Agent = Agent.current ?? bystander): void {
  owners.set(buffer, owner);
}

/** Whose memory a view shows. */
export function agentOf(view: ArrayBufferView): Agent {
  if (view === lastView) return lastOwner;
  lastView = view;
  lastOwner = owners.get(view.buffer) ?? bystander;
  return lastOwner;
}
