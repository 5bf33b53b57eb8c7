import type { Duration } from './duration.js';
import type { RetryOptions } from './retry-options.js';

export interface StepOptions {
  /** Attempts of this step's body within one attempt of the task. Default: one. A long wait between them frees the worker. */
  retry?: RetryOptions;
  /** How long one try of the body may take, at most 24 days; then it has failed with a StepTimeoutError, and `ctx.signal` is
   *  aborted within the body. Default: no limit. */
  timeout?: Duration;
}

/** Options of `@Step`. */
export interface StepMethodOptions<A extends unknown[] = never> extends StepOptions {
  /** The name results are recorded under. Default `Class.method`. */
  name?: string;
  /** Names a call by its arguments in place of its number; needed where parallel calls cannot be told apart otherwise. */
  key?: (...args: A) => string;
}
