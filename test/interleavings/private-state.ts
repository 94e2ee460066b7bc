/**
 * What a member keeps in JavaScript, put back to how it was: the fields of every object that can be reached from some,
 * with their maps, sets, lists and arrays. A member's script starts from here each time it is run.
 */
type Restore = () => void;

const isShared = (value: ArrayBufferView, shared: ArrayBufferLike): boolean => value.buffer === shared;

type Make = (target: object, ...values: unknown[]) => Restore;

/** By the names of the fields: compiling one for each object would cost more than it saves. */
const makers = new Map<string, Make>();

/** What makes functions that store all fields of one object: by name, so that it costs what assignments cost. */
function makerFor(names: readonly string[]): Make {
  const key = JSON.stringify(names);
  let make = makers.get(key);
  if (make === undefined) {
    const body = names.map((name, i) => `target[${JSON.stringify(name)}] = v${i};`).join("");
    const parameters = names.map((_, i) => `v${i}`);
    // A loop over names would cost more than all the accesses of a run.
    // eslint-disable-next-line @typescript-eslint/no-implied-eval
    make = new Function("target", ...parameters, `return () => {${body}}`) as Make;
    makers.set(key, make);
  }
  return make;
}

function fieldsOf(target: object): Restore | undefined {
  const names = Object.entries(Object.getOwnPropertyDescriptors(target)).flatMap(([name, { writable }]) =>
    writable === true ? [name] : [],
  );
  if (names.length === 0) return undefined;
  const values = names.map((name) => Reflect.get(target, name) as unknown);
  return makerFor(names)(target, ...values);
}

/** Remembers the state of everything below some objects; the result puts it back. Memory that is `shared` is left alone. */
export function rememberState(roots: readonly object[], shared: ArrayBufferLike): Restore {
  const restores: Restore[] = [];
  const seen = new Set<object>();
  const visit = (value: unknown): void => {
    if (typeof value !== "object" || value === null || seen.has(value)) return;
    seen.add(value);
    if (ArrayBuffer.isView(value)) {
      if (isShared(value, shared) || !(value instanceof Int32Array)) return;
      const kept = value.slice();
      restores.push(() => value.set(kept));
    } else if (value instanceof Map) {
      const kept = [...(value as Map<unknown, unknown>)];
      restores.push(() => {
        if (value.size === 0 && kept.length === 0) return;
        value.clear();
        for (const [key, item] of kept) value.set(key, item);
      });
      kept.flat().forEach(visit);
    } else if (value instanceof Set) {
      const kept = [...(value as Set<unknown>)];
      restores.push(() => {
        if (value.size === 0 && kept.length === 0) return;
        value.clear();
        for (const item of kept) value.add(item);
      });
      kept.forEach(visit);
    } else if (Array.isArray(value)) {
      const kept = [...(value as unknown[])];
      restores.push(() => {
        value.length = 0;
        value.push(...kept);
      });
      kept.forEach(visit);
    } else {
      const restore = Object.isFrozen(value) ? undefined : fieldsOf(value);
      if (restore !== undefined) restores.push(restore);
      Object.values(value).forEach(visit);
    }
  };
  roots.forEach(visit);
  return () => {
    for (const restore of restores) restore();
  };
}
