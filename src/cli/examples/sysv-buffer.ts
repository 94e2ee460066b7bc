import {
  pthread_cond_at,
  pthread_cond_init,
  pthread_cond_signal,
  pthread_cond_wait,
  pthread_mutex_at,
  pthread_mutex_consistent,
  pthread_mutex_init,
  pthread_mutex_lock,
  pthread_mutex_unlock,
  PTHREAD_MUTEX_ROBUST,
  SIZEOF_PTHREAD_COND_T,
  SIZEOF_PTHREAD_MUTEX_T,
  type PthreadCond,
  type PthreadLocked,
  type PthreadMutex,
} from "#posix";
import { array, bytes, int32, struct, uint32, type LiveRecord } from "#shmkit";
import { IPC_CREAT, IPC_PRIVATE, IPC_RMID, shmat, shmctl, shmdt, shmget } from "#sysv";

/** Places of the buffer. */
export const CAPACITY = 8;

/** What is in the segment: first what keeps the processes apart, as it is in C, then what they share. */
const Shared = struct({
  mutex: bytes(SIZEOF_PTHREAD_MUTEX_T),
  notFull: bytes(SIZEOF_PTHREAD_COND_T),
  notEmpty: bytes(SIZEOF_PTHREAD_COND_T),
  /** How many numbers have been put there, and how many taken. */
  made: int32,
  taken: int32,
  /** What those that were taken add up to: at `taken % 2`. The other one is where the next sum is written. */
  sums: array(uint32, 2),
  places: array(int32, CAPACITY),
  /** How often somebody was told that the owner of the mutex had died. */
  deaths: int32,
});

/**
 * The numbers from 1 on, on their way from one process to another through a System V segment with a mutex and two conditions of
 * the C library in it. A change takes effect by one store, to `made` or `taken`: so whoever is killed leaves all of it done
 * or none.
 */
export class SysvBuffer {
  readonly shmid: number;
  private readonly memory: Uint8Array;
  private readonly shared: LiveRecord<typeof Shared.fields>;
  private readonly mutex: PthreadMutex;
  private readonly notFull: PthreadCond;
  private readonly notEmpty: PthreadCond;

  private constructor(shmid: number, memory: Uint8Array, isNew: boolean) {
    const place = (field: string): Uint8Array => memory.subarray(Shared.offsetOf(field));
    const condition = isNew ? pthread_cond_init : pthread_cond_at;
    this.shmid = shmid;
    this.memory = memory;
    this.shared = Shared.cursor(memory).at(0);
    this.mutex = isNew
      ? pthread_mutex_init(place("mutex"), { robust: PTHREAD_MUTEX_ROBUST })
      : pthread_mutex_at(place("mutex"));
    this.notFull = condition(place("notFull"));
    this.notEmpty = condition(place("notEmpty"));
  }

  /** Makes the segment. Programs that cannot tell each other its number agree on `ftok(FILE, 120)` in place of IPC_PRIVATE. */
  static create(): SysvBuffer {
    const shmid = shmget(IPC_PRIVATE, Shared.size, IPC_CREAT | 0o600);
    const memory = new Uint8Array(shmat(shmid));
    // Removed at once, it goes with the last process that has it attached, however that ends. Until then Linux lets others attach.
    shmctl(shmid, IPC_RMID);
    return new SysvBuffer(shmid, memory, true);
  }

  static attach(shmid: number): SysvBuffer {
    return new SysvBuffer(shmid, new Uint8Array(shmat(shmid)), false);
  }

  /**
   * Waits for a free place and puts the next number there; false when there are so many.
   * @param inside called while the mutex is held and the number is half put
   */
  async put(numbers: number, inside: Inside): Promise<boolean> {
    const { shared } = this;
    const isOver = (): boolean => shared.made === numbers;
    await this.lock(this.notFull, () => isOver() || shared.made - shared.taken < CAPACITY);
    try {
      if (isOver()) return false;
      const number = shared.made + 1;
      shared.places.set(shared.made % CAPACITY, number);
      await inside(number);
      shared.made = number;
      pthread_cond_signal(this.notEmpty);
      return true;
    } finally {
      pthread_mutex_unlock(this.mutex);
    }
  }

  /** Waits for a number, takes it and adds it up; false when so many have been taken. `inside` as of {@link put}. */
  async take(numbers: number, inside: Inside): Promise<boolean> {
    const { shared } = this;
    const isOver = (): boolean => shared.taken === numbers;
    await this.lock(this.notEmpty, () => isOver() || shared.taken < shared.made);
    try {
      if (isOver()) return false;
      const number = shared.places.get(shared.taken % CAPACITY);
      shared.sums.set((shared.taken + 1) % 2, shared.sums.get(shared.taken % 2) + number);
      await inside(number);
      shared.taken++;
      pthread_cond_signal(this.notFull);
      return true;
    } finally {
      pthread_mutex_unlock(this.mutex);
    }
  }

  /** How many numbers were taken, what they add up to, and how often a death was told. */
  async totals(): Promise<{ taken: number; sum: number; deaths: number }> {
    await this.lock(this.notEmpty, () => true);
    const { taken, sums, deaths } = this.shared;
    const sum = sums.get(taken % 2);
    pthread_mutex_unlock(this.mutex);
    return { taken, sum, deaths };
  }

  detach(): void {
    shmdt(this.memory);
  }

  /** Locks the mutex when something is so. Who is told that its last owner died has it, and says that all is well. */
  private async lock(changed: PthreadCond, until: () => boolean): Promise<void> {
    this.recover(await pthread_mutex_lock(this.mutex));
    while (!until()) this.recover(await pthread_cond_wait(changed, this.mutex, until));
  }

  private recover(locked: PthreadLocked): void {
    if (locked !== "EOWNERDEAD") return;
    // Here would be repaired what the dead one had half changed. There is nothing: what has not taken effect is written again.
    this.shared.deaths++;
    pthread_mutex_consistent(this.mutex);
  }
}

/** What is done in the middle of a change. */
type Inside = (number: number) => unknown;
