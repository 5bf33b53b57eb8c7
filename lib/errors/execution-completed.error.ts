import { ConductorError } from './conductor.error.js';

/** What was to be retried has completed: there is nothing to be tried again. */
export class ExecutionCompletedError extends ConductorError {
  readonly code = 'CONDUCTOR_EXECUTION_COMPLETED';

  constructor(readonly executionId: string) {
    super(
      `Execution ${executionId} has completed, and a retry would only give its result again. To run it again from one of its steps on, ` +
        'use conductor.fork(id, { fromStep }); to run all of it again, invoke its task with its payload.',
    );
  }
}
