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
  /** Whether it runs in a transaction of the app's DataSource (module option `transactions`) that commits what it writes together
   *  with its record: exactly once. Its `@Tx()` parameter is that transaction's EntityManager. Keep it short, as any transaction; it
   *  is ended after 5 s without a statement, unless `transactions.idleTimeout` or the connection says otherwise. Called within
   *  the body of another transactional step it takes part in that one's transaction. Default false. */
  transactional?: boolean;
}
