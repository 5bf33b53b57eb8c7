import { toMilliseconds } from '../common/duration.js';
import type { Duration } from '../interfaces/duration.js';
import { ConductorError } from './conductor.error.js';

/** Thrown by a handler or a step that knows when trying again makes sense: the next attempt starts no sooner. It uses up an
 *  attempt like any other error. */
export class RetryAfterError extends ConductorError {
  readonly code = 'CONDUCTOR_RETRY_AFTER';
  /** Whole milliseconds, at least 0. */
  readonly delayMs: number;

  /** @throws TypeError, RangeError if the duration cannot be read */
  constructor(duration: Duration, message?: string, options?: ErrorOptions) {
    const delayMs = Math.max(0, toMilliseconds(duration));
    super(message ?? `This has to be tried again, not before ${delayMs} ms have passed.`, options);
    this.delayMs = delayMs;
  }
}
