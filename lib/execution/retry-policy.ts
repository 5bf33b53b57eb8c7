import { types } from 'node:util';
import { toMilliseconds } from '../common/duration.js';
import { OptionReader } from '../common/option-reader.js';
import { shown } from '../common/shown.js';
import type {
  Backoff,
  BackoffFunction,
  BackoffOptions,
  RetryOptions,
} from '../interfaces/retry-options.js';

const ATTEMPTS = 3;
const DELAY_MS = 15_000;
const FACTOR = 2;
const MAX_DELAY_MS = 3_600_000;
const JITTER = 0.1;

/** How often to try, and how long to wait between. */
export interface RetryPolicy {
  /** How many attempts may fail, the first one counted. */
  maxAttempts: number;
  /** Whole milliseconds to wait after an attempt, counted from 1, that failed with this error. Never throws. */
  delayAfter(attempt: number, error: unknown): number;
}

/**
 * The policy of a task or a step. Each setting comes from `options`, else from `fallback`, else it is 3 attempts with
 * exponential backoff. Where a backoff function throws or returns no duration, the exponential wait counts: how long to wait
 * must not decide whether an attempt can be settled.
 *
 * @param random a number from 0 to below 1, for the jitter
 * @throws TypeError, RangeError if a duration in the options cannot be read; `retryOptionProblems` tells before
 */
export function retryPolicy(
  options: RetryOptions | undefined,
  fallback: RetryOptions | undefined,
  random: () => number,
): RetryPolicy {
  return {
    maxAttempts: options?.maxAttempts ?? fallback?.maxAttempts ?? ATTEMPTS,
    delayAfter: delays(options?.backoff ?? fallback?.backoff ?? 'exponential', random),
  };
}

function delays(backoff: Backoff, random: () => number): RetryPolicy['delayAfter'] {
  if (typeof backoff === 'function')
    return chosenBy(backoff, computed({ type: 'exponential' }, random));
  return computed(typeof backoff === 'string' ? { type: backoff } : backoff, random);
}

function computed(backoff: BackoffOptions, random: () => number): (attempt: number) => number {
  const exponential = backoff.type === 'exponential';
  const delay = Math.max(0, toMilliseconds(backoff.delay ?? DELAY_MS));
  const factor = exponential ? (backoff.factor ?? FACTOR) : 1;
  // a first wait that is longer than the default limit was meant
  const max =
    backoff.max === undefined ? Math.max(delay, MAX_DELAY_MS) : toMilliseconds(backoff.max);
  const jitter = backoff.jitter ?? (exponential ? JITTER : 0);
  return (attempt) => {
    const wait = Math.min(max, delay * factor ** Math.max(0, attempt - 1));
    return Math.min(max, Math.round(wait * (1 + jitter * (2 * random() - 1))));
  };
}

function chosenBy(
  choose: BackoffFunction,
  otherwise: (attempt: number) => number,
): RetryPolicy['delayAfter'] {
  return (attempt, error) => {
    try {
      const chosen: unknown = choose(attempt, error);
      if (typeof chosen === 'object' && chosen !== null) ignoreRejection(chosen);
      return Math.max(0, toMilliseconds(chosen as number));
    } catch {
      return otherwise(attempt);
    }
  };
}

/** An async function was given: nobody would wait for its promise, and its rejection would end the process. */
function ignoreRejection(promise: object): void {
  Promise.resolve(promise).catch(() => undefined);
}

/** Everything that is wrong with retry options of unknown make, each a sentence that begins with the option's place. */
export function retryOptionProblems(options: unknown, where: string): string[] {
  const problems: string[] = [];
  const retry = OptionReader.open(options, where, problems);
  retry?.onlyKnown(['maxAttempts', 'backoff']);
  retry?.integer('maxAttempts', 1, 32_767);
  const backoff = retry?.given.backoff;
  if (
    retry === undefined ||
    backoff === undefined ||
    backoff === 'exponential' ||
    backoff === 'fixed'
  ) {
    return problems;
  }
  if (typeof backoff === 'function') {
    if (types.isAsyncFunction(backoff))
      retry.fail('backoff', 'is an async function; it must return a duration, not a promise');
  } else if (typeof backoff === 'object') {
    const reader = retry.nested('backoff');
    if (reader !== undefined) checkBackoff(reader);
  } else {
    retry.fail(
      'backoff',
      `must be "exponential", "fixed", an object with a type, or a function that returns a duration, and is ${shown(backoff)}`,
    );
  }
  return problems;
}

function checkBackoff(backoff: OptionReader): void {
  backoff.onlyKnown(['type', 'delay', 'factor', 'max', 'jitter']);
  if (!backoff.has('type')) backoff.fail('type', 'is missing: give "exponential" or "fixed"');
  const type = backoff.oneOf('type', ['exponential', 'fixed']);
  const delay = backoff.duration('delay', '0ms');
  const max = backoff.duration('max', '0ms');
  if (max !== undefined && max < (delay ?? DELAY_MS)) {
    backoff.fail(
      'max',
      `is shorter than the first wait, ${delay === undefined ? '15s by default' : shown(backoff.given.delay)}`,
    );
  }
  const factor = backoff.number('factor', 1, 1_000);
  if (factor !== undefined && type === 'fixed')
    backoff.fail('factor', 'has no meaning with type "fixed"');
  backoff.number('jitter', 0, 1);
}
