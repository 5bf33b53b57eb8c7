import { ConductorError } from './conductor.error.js';

/** What was to be retried or forked has not ended. */
export class ExecutionNotEndedError extends ConductorError {
  readonly code = 'CONDUCTOR_EXECUTION_NOT_ENDED';

  constructor(
    readonly executionId: string,
    readonly status: string,
  ) {
    super(
      `Execution ${executionId} has not ended: it is ${status}. ` +
        (status === 'blocked'
          ? 'conductor.resume(id) offers it again once the code fits its record.'
          : 'It goes on by itself, as does a failed attempt; wait for its end.'),
    );
  }
}
