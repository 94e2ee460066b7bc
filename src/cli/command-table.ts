import type { Command } from "./command.js";

/** Every command, in the order of the help; loaded only when it runs. */
export const COMMANDS: Readonly<Record<string, () => Promise<{ command: Command }>>> = {
  demo: () => import("./commands/demo.js"),
  ls: () => import("./commands/ls.js"),
  inspect: () => import("./commands/inspect.js"),
  top: () => import("./commands/top.js"),
  send: () => import("./commands/send.js"),
  recv: () => import("./commands/recv.js"),
  lock: () => import("./commands/lock.js"),
  rm: () => import("./commands/rm.js"),
  ipcs: () => import("./commands/ipcs.js"),
  ipcrm: () => import("./commands/ipcrm.js"),
  clean: () => import("./commands/clean.js"),
  doctor: () => import("./commands/doctor.js"),
  bench: () => import("./commands/bench.js"),
  struct: () => import("./commands/struct.js"),
  example: () => import("./commands/example.js"),
  completion: () => import("./commands/completion.js"),
};

/** Every command, loaded. */
export async function allCommands(): Promise<Command[]> {
  return Promise.all(Object.values(COMMANDS).map(async (load) => (await load()).command));
}
