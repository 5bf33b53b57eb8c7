import { shown } from './shown.js';

const unitMs = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** Ten years. Longer is nearly always a unit mixed up, and far longer is a date that Postgres cannot store. */
export const MAX_DURATION_MS = 3_653 * unitMs.d;

/** What a timer of Node holds: 2^31 ms are 24.8 days. */
export const LONGEST_TIMEOUT = '24d';

/** An error is made only where one is wanted: its stack costs more than all else here. */
type Reading = { ms: number } | { error: typeof TypeError | typeof RangeError; problem: string };

/**
 * Whole milliseconds of a duration. A fraction is rounded up, so that nothing ends early; negative ones are returned as they
 * are, what they mean is the caller's to say.
 *
 * @throws TypeError if it is neither a number nor a string
 * @throws RangeError if it is no finite number, has no known unit, or is longer than ten years
 */
export function toMilliseconds(duration: number | string): number {
  const reading = read(duration);
  if ('error' in reading) throw new reading.error(reading.problem);
  return reading.ms;
}

/** The same without throwing: undefined for what is not a duration. */
export function parseDuration(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  const reading = read(value);
  return 'ms' in reading ? reading.ms : undefined;
}

/** Why a value is not a duration; undefined if it is one. */
export function durationProblem(value: unknown): string | undefined {
  const reading = read(value);
  return 'error' in reading ? reading.problem : undefined;
}

function read(value: unknown): Reading {
  if (typeof value !== 'number' && typeof value !== 'string') {
    return {
      error: TypeError,
      problem: `${shown(value)} is not a duration; give a number of milliseconds or a string such as "10m"`,
    };
  }
  const ms = typeof value === 'number' ? value : parse(value);
  if (typeof ms === 'string') return { error: RangeError, problem: `${shown(value)} ${ms}` };
  if (!Number.isFinite(ms)) {
    return {
      error: RangeError,
      problem: `${shown(value)} is not a duration; it has to be finite`,
    };
  }
  if (Math.abs(ms) > MAX_DURATION_MS) {
    return {
      error: RangeError,
      problem: `${shown(value)} is too long for a duration; ten years is the most`,
    };
  }
  // 4.03 s is 4030.0000000000005 ms in floating point, and not 4031; `+ 0` makes 0 of -0
  return { ms: Math.ceil(Math.round(ms * 1_000) / 1_000) + 0 };
}

/** Milliseconds, or what is wrong. */
function parse(text: string): number | string {
  const match = /^\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*(\p{L}*)\s*$/iu.exec(text);
  if (match === null) return 'is not a duration; write a number and a unit, such as "10m"';
  const [, number, unit] = match as unknown as [string, string, string];
  if (unit === '') return `is a duration without a unit; write "${number}ms" or "${number}s"`;
  if (!isUnit(unit)) {
    return `has the unknown unit ${shown(unit)}; there are ${Object.keys(unitMs).join(', ')}`;
  }
  return Number(number) * unitMs[unit];
}

function isUnit(text: string): text is keyof typeof unitMs {
  return Object.hasOwn(unitMs, text);
}
