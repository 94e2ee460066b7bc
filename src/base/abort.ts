import { addAbortListener } from "node:events";

interface Listening {
  readonly callbacks: Set<() => void>;
  readonly listener: Disposable;
}

const listenings = new WeakMap<AbortSignal, Listening>();

/**
 * Calls back once a signal is aborted, which must not throw; what it answers ends that. All that wait for one signal share one listener: the platform
 * warns of a leak when a signal has more than ten, and looks through all of them for each that comes or goes.
 */
export function onAbort(signal: AbortSignal | undefined, callback: () => void): () => void {
  if (signal === undefined) return () => undefined;
  const listening = listenings.get(signal) ?? listen(signal);
  // A function of its own, so that one that is given twice is called twice.
  const own = (): void => callback();
  listening.callbacks.add(own);
  return () => {
    if (!listening.callbacks.delete(own) || listening.callbacks.size > 0) return;
    listenings.delete(signal);
    listening.listener[Symbol.dispose]();
  };
}

function listen(signal: AbortSignal): Listening {
  const callbacks = new Set<() => void>();
  const listener = addAbortListener(signal, () => {
    listenings.delete(signal);
    for (const callback of callbacks) callback();
  });
  const listening = { callbacks, listener };
  listenings.set(signal, listening);
  return listening;
}
