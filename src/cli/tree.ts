/** A line with lines below it. */
export interface Branch {
  readonly text: string;
  readonly branches?: readonly Branch[];
}

/** A tree as lines, as tree(1) draws them. */
export function treeLines({ text, branches = [] }: Branch): string[] {
  return [
    text,
    ...branches.flatMap((branch, at) => {
      const isLast = at === branches.length - 1;
      const [first, ...rest] = treeLines(branch);
      return [`${isLast ? "└─ " : "├─ "}${first}`, ...rest.map((line) => `${isLast ? "   " : "│  "}${line}`)];
    }),
  ];
}
