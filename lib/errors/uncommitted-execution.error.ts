import { ConductorError } from './conductor.error.js';

/** A handle that was given within a transaction was asked what only a handle from outside can tell. */
export class UncommittedExecutionError extends ConductorError {
  readonly code = 'CONDUCTOR_UNCOMMITTED_EXECUTION';

  constructor(
    readonly executionId: string,
    /** What was called, such as `result`. */
    member: string,
  ) {
    super(
      `${member}() of execution ${executionId} was called on the handle that was given within a transaction. It exists for nobody ` +
        `else until that transaction is committed, and to wait for it inside would never end: keep the id, and call ` +
        `conductor.handle(id).${member}() after the commit.`,
    );
  }
}
