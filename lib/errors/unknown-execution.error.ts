import { ConductorError } from './conductor.error.js';

/** There is no execution with this id. */
export class UnknownExecutionError extends ConductorError {
  readonly code = 'CONDUCTOR_UNKNOWN_EXECUTION';

  constructor(readonly executionId: string) {
    super(
      `There is no execution ${executionId}. Check the id, and that this app uses the database and the schema in which it ` +
        'was invoked.',
    );
  }
}
