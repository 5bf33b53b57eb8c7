import { ConductorError } from './conductor.error.js';

/** The execution had not been started when its `expireAfter` was over, and is not started any more. */
export class ExpiredError extends ConductorError {
  readonly code = 'CONDUCTOR_EXPIRED';

  constructor(readonly executionId: string) {
    super(
      `Execution ${executionId} was not started within its expireAfter. Workers of its queue were missing or busy for too long.`,
    );
  }
}
