import { parseArgs } from 'node:util';

export interface Arguments {
  quick: boolean;
  /** Ids of goals or scenarios; empty: all. */
  only: string[];
  json?: string;
}

const USAGE = 'npm run bench -- [--quick] [--only PF1,drain-20k] [--json FILE]';

export function readArguments(known: string[]): Arguments {
  try {
    const { values } = parseArgs({
      options: {
        quick: { type: 'boolean', default: false },
        only: { type: 'string', default: '' },
        json: { type: 'string' },
      },
    });
    const only = values.only.split(',').filter((id) => id !== '');
    const unknown = only.filter((id) => !known.includes(id));
    if (unknown.length > 0)
      throw new Error(`There is no ${unknown.join(', ')}. There are ${known.join(', ')}.`);
    return { quick: values.quick, only, ...(values.json !== undefined && { json: values.json }) };
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${USAGE}\n`);
    process.exit(2);
  }
}
