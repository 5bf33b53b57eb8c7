import { ConductorError } from './conductor.error.js';

/** The execution had not ended at its `deadline`. It is not tried again, whatever attempts it had left. */
export class DeadlineExceededError extends ConductorError {
  readonly code = 'CONDUCTOR_DEADLINE';

  constructor(readonly executionId: string) {
    super(
      `Execution ${executionId} had not ended at its deadline, and is not tried again. The deadline counts waits and retries too.`,
    );
  }
}
