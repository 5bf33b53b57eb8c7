export interface RerunOptions {
  /** A UUID of the caller's for the new execution, which makes the call idempotent: sent again, it answers `existing`. */
  id?: string;
}

export interface ForkOptions extends RerunOptions {
  /** The name of a step or wait, as `conductor.steps(id)` tells it, such as `'charge'` or `'OrderSteps.load#2'`. It and what was recorded
   *  after it is run again. */
  fromStep: string;
}

/** Which ended executions are meant; all that failed, where nothing is said. */
export interface RetryManyFilter {
  /** Default: `failed`. */
  status?: 'failed' | 'cancelled' | ('failed' | 'cancelled')[];
  task?: string;
  queue?: string;
  /** Ended at this time or later. */
  since?: Date;
  /** At most so many. Default: all. */
  limit?: number;
}

export interface RetriedExecution {
  id: string;
  retryOf: string;
}
