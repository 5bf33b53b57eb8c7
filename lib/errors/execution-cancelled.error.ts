import { ConductorError } from './conductor.error.js';

/** The execution was cancelled: why its result is refused, and its handler's signal is aborted and its calls are refused. */
export class ExecutionCancelledError extends ConductorError {
  readonly code = 'CONDUCTOR_EXECUTION_CANCELLED';

  constructor(
    readonly executionId: string,
    readonly task: string,
    /** As it was given to `cancel`. */
    readonly reason?: string,
  ) {
    super(
      `Execution ${executionId} of task "${task}" was cancelled${reason === undefined ? '' : `: ${reason}`}. ` +
        'It has no result; invoke the task again if one is needed.',
    );
  }
}
