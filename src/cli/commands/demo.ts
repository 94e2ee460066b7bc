import type { Command } from "../command.js";
export const command: Command = {
  name: "demo",
  summary: "demo",
  usage: [""],
  options: {},
  exitCodes: [1],
  arguments: [0, 0],
  run: async () => undefined,
};
