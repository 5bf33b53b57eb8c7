import { parseArgs } from 'node:util';

export interface Arguments {
  quick: boolean;
  /** Ids of goals or scenarios; empty: all. */
  only: string[];
  rounds?: number;
  /** Where the figures go, rewritten after each row. */
  json?: string;
  /** Where the chart goes, an SVG. */
  chart?: string;
  /** Figures of earlier runs to show, in place of a run. */
  from: string[];
}

const USAGE =
  'npm run bench -- [--quick] [--only PF1,drain-20k] [--rounds N] [--json FILE] [--chart FILE]\n' +
  'npm run bench -- --from FILE,FILE [--chart FILE]';

export function readArguments(known: string[]): Arguments {
  try {
    const { values } = parseArgs({
      options: {
        quick: { type: 'boolean', default: false },
        only: { type: 'string', default: '' },
        rounds: { type: 'string' },
        json: { type: 'string' },
        chart: { type: 'string' },
        from: { type: 'string', default: '' },
      },
    });
    const only = listOf(values.only);
    const unknown = only.filter((id) => !known.includes(id));
    if (unknown.length > 0)
      throw new Error(`There is no ${unknown.join(', ')}. There are ${known.join(', ')}.`);
    const { rounds, ...rest } = { ...values, from: listOf(values.from) };
    if (rounds === undefined) return { ...rest, only };
    if (!/^[1-9]\d?$/.test(rounds))
      throw new Error(`--rounds is a number from 1 to 99, and is ${rounds}.`);
    return { ...rest, only, rounds: Number(rounds) };
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${USAGE}\n`);
    process.exit(2);
  }
}

const listOf = (text: string) => text.split(',').filter((part) => part !== '');
