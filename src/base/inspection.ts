/** What console.log and util.inspect ask an object for: `util.inspect.custom`, without importing it. */
export const INSPECTED: unique symbol = Symbol.for("nodejs.util.inspect.custom") as never;

/** How people see an object of shared memory: `Mutex my-app/m`, `Mutex my-app/m (closed)`. */
export function shown(object: object, address: string, remark = ""): string {
  return `${object.constructor.name} ${address}${remark === "" ? "" : ` (${remark})`}`;
}
