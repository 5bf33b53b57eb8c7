import { ConductorError } from './conductor.error.js';

/** The execution has ended, and its result was asked for after its task's retention had removed it. It does not run again. */
export class ResultExpiredError extends ConductorError {
  readonly code = 'CONDUCTOR_RESULT_EXPIRED';

  constructor(
    readonly executionId: string,
    /** How it ended; undefined where that is not known any more either. */
    readonly status?: 'completed' | 'failed' | 'cancelled',
  ) {
    super(
      `Execution ${executionId} has ended${status === undefined ? '' : ` (${status})`}, and what it came to is not kept any more. ` +
        "Ask for it while it runs or soon after, or have it kept for longer by its task's retention.",
    );
  }
}
