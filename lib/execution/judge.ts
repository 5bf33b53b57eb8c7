import type { DeadlineExceededError } from '../errors/deadline-exceeded.error.js';
import type { NonRetryableError } from '../errors/non-retryable.error.js';
import type { PayloadInvalidError } from '../errors/payload-invalid.error.js';
import type { SerializationError } from '../errors/serialization.error.js';
import type { StepLimitError } from '../errors/step-limit.error.js';
import type { Outcome } from './outcome.js';
import type { RetryPolicy } from './retry-policy.js';
import { RETRY_AFTER, serializeError } from './serialized-error.js';

/** The one place that judges errors.
 *  @param failures how often it has failed now, this time included.
 *  @returns the wait in ms before the next attempt; undefined: it is over. */
export function delayBeforeRetry(
  error: unknown,
  failures: number,
  policy: RetryPolicy,
): number | undefined {
  if (failures >= policy.maxAttempts || isFinal(error)) return undefined;
  return delayAskedFor(error) ?? policy.delayAfter(failures, error);
}

/** What an attempt came to that ended with an error. */
export function judgeFailure(error: unknown, failures: number, policy: RetryPolicy): Outcome {
  const delayMs = delayBeforeRetry(error, failures, policy);
  const stored = serializeError(error);
  return delayMs === undefined
    ? { type: 'failed', error: stored }
    : { type: 'retry', error: stored, delayMs };
}

/** Trying again would not help: the same value cannot be stored then either, and its step has had its effect. */
const finalCodes: readonly unknown[] = [
  'CONDUCTOR_NON_RETRYABLE',
  'CONDUCTOR_PAYLOAD_INVALID',
  'CONDUCTOR_SERIALIZATION',
  'CONDUCTOR_DEADLINE',
  'CONDUCTOR_STEP_LIMIT',
] satisfies (
  | DeadlineExceededError
  | NonRetryableError
  | PayloadInvalidError
  | SerializationError
  | StepLimitError
)['code'][];

/** By code and not by class: a step's error that is given back from the record is an Error with that code, and `instanceof`
 *  itself throws for a revoked Proxy. */
function isFinal(error: unknown): boolean {
  return finalCodes.includes(read(error, 'code'));
}

function delayAskedFor(error: unknown): number | undefined {
  const delayMs = read(error, 'code') === RETRY_AFTER ? read(error, 'delayMs') : undefined;
  return typeof delayMs === 'number' ? delayMs : undefined;
}

function read(from: unknown, key: string): unknown {
  try {
    return (from as Record<string, unknown> | null | undefined)?.[key];
  } catch {
    return undefined; // a getter that throws, a Proxy
  }
}
