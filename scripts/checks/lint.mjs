import { ESLint } from "eslint";

export const gate = {
  name: "lint",
  async run({ root, fix }) {
    const eslint = new ESLint({ cwd: root, fix });
    const results = await eslint.lintFiles(["."]);
    if (fix) await ESLint.outputFixes(results);
    const problems = results.flatMap(({ filePath, messages }) =>
      messages.map(({ line, ruleId, message }) => `${filePath.slice(root.length + 1)}:${line}: ${message} (${ruleId})`),
    );
    if (results.length === 0) problems.push("no file was read");
    return { problems, note: `${results.length} files` };
  },
};
