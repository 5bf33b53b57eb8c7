import { ConductorError } from './conductor.error.js';

/** There is no execution with this id: there never was, or it has ended and its task's retention has removed it. */
export class UnknownExecutionError extends ConductorError {
  readonly code = 'CONDUCTOR_UNKNOWN_EXECUTION';

  constructor(readonly executionId: string) {
    super(
      `There is no execution ${executionId}. Check the id, and that this app uses the database and the schema in which it ` +
        "was invoked. If it has ended, its task's retention may have removed it.",
    );
  }
}
