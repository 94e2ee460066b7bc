/** Requests of locks without a callback: what a request is told is noted, and it is left by hand. */
import type { Region } from "shmkit";
import { LockName } from "#src/sync/lock-name.js";
import type { LockTableSource } from "#src/sync/lock-manager.js";
import type { Claim, LockTable } from "#src/sync/lock-table.js";

const inside = (region: Region) =>
  region as unknown as {
    lockTables: LockTableSource;
    membership: { directory: { list(): readonly { kind: string }[] } };
  };

/** The lock manager of a region, opened or made; nobody holds the directory. */
export const lockTable = (region: Region): LockTable => inside(region).lockTables.tryOpen()!;

/** Whether a region has a lock manager. */
export const hasLocks = (region: Region): boolean =>
  inside(region)
    .membership.directory.list()
    .some(({ kind }) => kind === "locks");

/** A request that notes what it is told. */
export class TestClaim implements Claim {
  at = 0;
  index = 0;
  readonly name: LockName;
  readonly told: string[] = [];
  error: Error | undefined;

  constructor(
    name: string,
    readonly manner: Claim["manner"] = "wait",
    readonly shared = false,
  ) {
    this.name = LockName.of(name);
  }

  granted(): void {
    this.told.push("granted");
  }
  unavailable(): void {
    this.told.push("unavailable");
  }
  broken(): void {
    this.told.push("broken");
  }
  closed(): void {
    this.told.push("closed");
  }
  failed(error: unknown): void {
    this.told.push("failed");
    this.error = error as Error;
  }
}
