/** The file behind a map: open for as long as the map or a view of it is. */
export class MapSource {
  readonly descriptor: number;
  /** The file's path, or what stands for it in messages. */
  readonly path: string;
  private users = 1;
  private readonly leave: () => void;

  /** @param leave closes the descriptor, and what else has to end with the last user */
  constructor(descriptor: number, path: string, leave: () => void) {
    this.descriptor = descriptor;
    this.path = path;
    this.leave = leave;
    forgotten.register(this, leave, this);
  }

  /** One more user. */
  retain(): this {
    this.users++;
    return this;
  }

  /** One user less; with the last one the file is closed. */
  release(): void {
    if (--this.users > 0) return;
    forgotten.unregister(this);
    this.leave();
  }
}

/** Closes what nobody refers to any more. */
const forgotten = new FinalizationRegistry<() => void>((leave) => {
  try {
    leave();
  } catch {
    // Nobody is there to be told, and an error here would end the process.
  }
});
