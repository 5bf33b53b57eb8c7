import { ConductorError } from './conductor.error.js';

/** A context was used after its handler had ended. */
export class ExecutionClosedError extends ConductorError {
  readonly code = 'CONDUCTOR_EXECUTION_CLOSED';

  constructor(
    readonly executionId: string,
    /** What was called: the method, or the name of the step. */
    readonly call: string,
  ) {
    super(
      `"${call}" came after the handler of execution ${executionId} had ended, and did nothing. Await everything that the ` +
        'handler starts; something that outlives it, such as an interval or a listener, must not use its context.',
    );
  }
}
