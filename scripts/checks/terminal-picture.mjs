import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { COMMANDS, draw, PICTURE, SESSION } from "../terminal-picture.mjs";

const AGAIN = "record it again: node scripts/terminal-picture.mjs";

/** The picture cannot be compared with a new session, which says other times: only with the one that was recorded. */
export const gate = {
  name: "terminal-picture",
  run({ root, fix }) {
    if (!existsSync(join(root, SESSION))) return { problems: [`${SESSION} is missing; ${AGAIN}`], note: "" };
    const session = JSON.parse(readFileSync(join(root, SESSION), "utf8"));
    const note = `${session.steps.length} commands, recorded ${session.recordedAt}`;
    const problems = [];
    if (JSON.stringify(session.steps.map(({ command }) => command)) !== JSON.stringify(COMMANDS))
      problems.push(`${SESSION} has other commands than scripts/terminal-picture.mjs; ${AGAIN}`);
    const picture = draw(session);
    const path = join(root, PICTURE);
    if (!existsSync(path) || readFileSync(path, "utf8") !== picture) {
      if (fix) writeFileSync(path, picture);
      else problems.push(`${PICTURE} is not what was recorded in ${SESSION}; npm run check -- terminal-picture --fix`);
    }
    if (!readFileSync(join(root, "README.md"), "utf8").includes(`(${PICTURE})`))
      problems.push(`README.md does not show ${PICTURE}`);
    return { problems, note };
  },
};
