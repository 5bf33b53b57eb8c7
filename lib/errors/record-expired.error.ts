import { ConductorError } from './conductor.error.js';

/** The execution has ended, and its task's retention has removed its payload and its steps: nothing is left to go on from. */
export class RecordExpiredError extends ConductorError {
  readonly code = 'CONDUCTOR_RECORD_EXPIRED';

  constructor(readonly executionId: string) {
    super(
      `The payload and the steps of execution ${executionId} are not kept any more, so it can be neither retried nor forked. ` +
        "Invoke its task again, and have what ended kept for longer by the task's retention.",
    );
  }
}
