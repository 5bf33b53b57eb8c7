import { ConductorError } from './conductor.error.js';

/** This attempt no longer owns its execution: its worker was not heard of for too long, and another one may be running it.
 *  Nothing that this attempt still does is recorded. */
export class LeaseLostError extends ConductorError {
  readonly code = 'CONDUCTOR_LEASE_LOST';

  constructor(readonly executionId: string) {
    super(
      `Execution ${executionId} no longer belongs to this attempt; nothing more of it is recorded, so stop. It happens when ` +
        'the event loop is blocked or the database out of reach for longer than the lease: look for either.',
    );
  }
}
