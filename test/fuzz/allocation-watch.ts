/**
 * Watches what this process asks memory for, so that a length read from damaged memory which is used unchecked shows,
 * although the memory behind it might never be touched. Install it before the code to be watched is loaded.
 */
let largest = 0;

function note(length: unknown): void {
  if (typeof length === "number" && length > largest) largest = length;
}

function watchConstructor(name: "Uint8Array" | "ArrayBuffer" | "Array"): void {
  const original = globalThis[name] as unknown as new (...args: unknown[]) => object;
  const watched = new Proxy(original, {
    construct(target, args: unknown[], newTarget: new (...args: unknown[]) => object) {
      if (args.length === 1) note(args[0]);
      return Reflect.construct(target, args, newTarget);
    },
    apply(target, receiver, args: unknown[]) {
      if (args.length === 1) note(args[0]);
      return Reflect.apply(target as unknown as (...args: unknown[]) => unknown, receiver, args);
    },
  });
  Object.assign(globalThis, { [name]: watched });
}

function watchBuffer(name: "alloc" | "allocUnsafe" | "allocUnsafeSlow"): void {
  const original = Buffer[name].bind(Buffer) as (...args: unknown[]) => Buffer;
  Object.assign(Buffer, {
    [name]: (...args: unknown[]): Buffer => {
      note(args[0]);
      return original(...args);
    },
  });
}

/** Begins to watch, for good. */
export function watchAllocations(): void {
  for (const name of ["Uint8Array", "ArrayBuffer", "Array"] as const) watchConstructor(name);
  for (const name of ["alloc", "allocUnsafe", "allocUnsafeSlow"] as const) watchBuffer(name);
}

/** The largest number of bytes or elements asked for since the last look. */
export function takeLargest(): number {
  const taken = largest;
  largest = 0;
  return taken;
}
