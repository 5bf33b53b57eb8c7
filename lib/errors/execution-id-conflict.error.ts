import { ConductorError } from './conductor.error.js';

/** The id that the caller chose is taken by something else; nothing was written. */
export class ExecutionIdConflictError extends ConductorError {
  readonly code = 'CONDUCTOR_EXECUTION_ID_CONFLICT';

  constructor(
    readonly executionId: string,
    /** The task that was invoked. */
    readonly task: string,
    /** What the id belongs to. */
    owner = `an execution of another task than "${task}"`,
  ) {
    super(
      `The id ${executionId} belongs to ${owner}. An id is for one execution of one task: choose another one, or leave it out.`,
    );
  }
}
