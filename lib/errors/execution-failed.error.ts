import { ConductorError } from './conductor.error.js';

/** The execution whose result was asked for has failed for good. `cause` is what its last attempt ended with. */
export class ExecutionFailedError extends ConductorError {
  readonly code = 'CONDUCTOR_EXECUTION_FAILED';

  constructor(
    readonly executionId: string,
    readonly task: string,
    cause: Error,
  ) {
    super(
      `Execution ${executionId} of task "${task}" failed with ${cause.name}: ${cause.message} ` +
        '(it has no result and is not tried again; see cause)',
      { cause },
    );
  }
}
