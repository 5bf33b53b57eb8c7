import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import type { Hazard, Tier } from '../hazard.js';

export interface Arguments {
  chosen: Hazard[];
  json?: string;
  tier: Tier;
  seed: number;
}

const LARGEST_SEED = 2 ** 32 - 1;

/** What was asked for on the command line.
 *  @throws Error, fit to be shown, for what cannot be understood */
export function readArguments(args: string[], hazards: Hazard[]): Arguments {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: 'string' },
      json: { type: 'string' },
      seed: { type: 'string' },
      full: { type: 'boolean', default: false },
      fast: { type: 'boolean', default: false },
    },
  });
  return {
    chosen: values.only === undefined ? hazards : chosenOf(values.only, hazards),
    json: values.json,
    tier: tierOf(values),
    seed: values.seed === undefined ? randomInt(LARGEST_SEED) : seedOf(values.seed),
  };
}

function tierOf({ fast, full }: { fast: boolean; full: boolean }): Tier {
  if (fast && full) throw new Error('--fast and --full exclude each other.');
  if (fast) return 'fast';
  return full ? 'full' : 'scaled';
}

function chosenOf(only: string, hazards: Hazard[]): Hazard[] {
  const ids = only
    .split(',')
    .map((id) => id.trim().toUpperCase())
    .filter((id) => id !== '');
  const unknown = ids.filter((id) => !hazards.some((hazard) => hazard.id === id));
  if (unknown.length > 0 || ids.length === 0) {
    const list = hazards.map(({ id, title }) => `  ${id}  ${title}`).join('\n');
    const what =
      ids.length === 0 ? '--only names no hazard.' : `No such hazard: ${unknown.join(', ')}.`;
    throw new Error(`${what} There are:\n${list}`);
  }
  return hazards.filter(({ id }) => ids.includes(id));
}

function seedOf(text: string): number {
  const seed = Number(text);
  if (text.trim() === '' || !Number.isInteger(seed) || seed < 0 || seed > LARGEST_SEED)
    throw new Error(`--seed must be a whole number from 0 to ${LARGEST_SEED}, not "${text}".`);
  return seed;
}
