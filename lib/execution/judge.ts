import { NonRetryableError } from '../errors/non-retryable.error.js';
import { PayloadInvalidError } from '../errors/payload-invalid.error.js';
import { RetryAfterError } from '../errors/retry-after.error.js';
import type { Outcome } from './outcome.js';
import type { RetryPolicy } from './retry-policy.js';
import { serializeError } from './serialized-error.js';

/** The one place that judges errors.
 *  @param failures how often it has failed now, this time included.
 *  @returns the wait in ms before the next attempt; undefined: it is over. */
export function delayBeforeRetry(
  error: unknown,
  failures: number,
  policy: RetryPolicy,
): number | undefined {
  if (failures >= policy.maxAttempts || isFinal(error)) return undefined;
  if (error instanceof RetryAfterError) return error.delayMs;
  return policy.delayAfter(failures, error);
}

/** What an attempt came to that ended with an error. */
export function judgeFailure(error: unknown, failures: number, policy: RetryPolicy): Outcome {
  const delayMs = delayBeforeRetry(error, failures, policy);
  const stored = serializeError(error);
  return delayMs === undefined
    ? { type: 'failed', error: stored }
    : { type: 'retry', error: stored, delayMs };
}

/** By code as well: a step's error that is given back from the record is an Error with that code. */
function isFinal(error: unknown): boolean {
  if (error instanceof NonRetryableError || error instanceof PayloadInvalidError) return true;
  try {
    return (error as { code?: unknown } | null)?.code === 'CONDUCTOR_NON_RETRYABLE';
  } catch {
    return false; // a getter that throws
  }
}
