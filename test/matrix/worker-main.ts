/** A worker thread in the runtime that is looked at: a member of its own, which holds a mutex until it is told to end. */
import { parentPort, workerData } from "node:worker_threads";
import { open } from "shmkit";

export interface WorkerBeginning {
  readonly region: string;
  readonly mutex: string;
  /** What `{ shared: true }` gave, where there is such a thing. */
  readonly buffer: SharedArrayBuffer | undefined;
}

const { region: name, mutex, buffer } = workerData as WorkerBeginning;
const region = await open(name, { label: "worker" });
const guard = await (await region.mutex(mutex)).lock();
guard.set(0, 5);
parentPort!.postMessage({ slot: region.slot, abandoned: guard.abandoned, sees: buffer && new Uint8Array(buffer)[0] });
parentPort!.on("message", () => {
  guard.rollback();
  guard.release();
  void region.close().then(() => parentPort!.close());
});
