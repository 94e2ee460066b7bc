import { parseArgs } from "node:util";

export interface Options {
  readonly quick: boolean;
  /** Names of benchmarks; all if there are none. */
  readonly only: readonly string[];
  /** Names of contenders; all if there are none. */
  readonly contenders: readonly string[];
  readonly rounds: number;
  readonly json: string | undefined;
  readonly plot: string | undefined;
  readonly from: string | undefined;
  readonly help: boolean;
}

export class UsageError extends Error {}

const ROUNDS = 5;
const QUICK_ROUNDS = 2;

export const USAGE = `npm run bench -- [options]

  --quick            fewer and shorter rounds: for a look, not for a comparison
  --only NAME        this benchmark alone; several: --only NAME,NAME
  --contenders NAME  these contenders alone, shmkit among them
  --rounds N         rounds in which the contenders take turns; default ${ROUNDS}, with --quick ${QUICK_ROUNDS}
  --json FILE        writes the results there as well
  --plot DIR         writes a plot of each benchmark there, as SVG
  --from FILE        measures nothing: shows and plots the results in that file
  --help             says this
`;

function names(values: readonly string[] | undefined, known: readonly string[], option: string): string[] {
  const wanted = (values ?? []).flatMap((value) => value.split(","));
  const unknown = wanted.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new UsageError(`${option}: there is no ${unknown.join(", ")}; there are ${known.join(", ")}`);
  return wanted;
}

/** @throws UsageError */
export function parseOptions(
  args: readonly string[],
  benchmarks: readonly string[],
  contenders: readonly string[],
): Options {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        quick: { type: "boolean", default: false },
        only: { type: "string", multiple: true },
        contenders: { type: "string", multiple: true },
        rounds: { type: "string" },
        json: { type: "string" },
        plot: { type: "string" },
        from: { type: "string" },
        help: { type: "boolean", default: false },
      },
    }));
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  const quick = values.quick;
  const rounds = values.rounds === undefined ? (quick ? QUICK_ROUNDS : ROUNDS) : Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new UsageError("--rounds: a whole number from 1");
  return {
    quick,
    only: names(values.only, benchmarks, "--only"),
    contenders: names(values.contenders, contenders, "--contenders"),
    rounds,
    json: values.json,
    plot: values.plot,
    from: values.from,
    help: values.help,
  };
}
