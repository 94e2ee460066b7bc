const parent = process.ppid;

const end = (): never => process.exit(1);

/** Ends this process when the command that started it has ended: its region goes with its last member. */
export function endWithParent(): void {
  process.on("disconnect", end);
}

/** For loops that leave the event loop no turn. */
export function hasParent(): boolean {
  return process.ppid === parent;
}

/** Tells it something through Node's own channel. */
export function tellParent(message: unknown): void {
  // It may have been killed: without a callback the error would be thrown, and "disconnect" ends this process anyway.
  if (process.connected) process.send?.(message, () => undefined);
}

/** The work is done: nothing keeps this process any more. */
export function leaveParent(): void {
  process.off("disconnect", end);
  process.disconnect();
}
