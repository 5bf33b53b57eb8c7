import { ConductorError } from './conductor.error.js';

/** The caller's patience ended before the execution did. The execution goes on. */
export class ResultTimeoutError extends ConductorError {
  readonly code = 'CONDUCTOR_RESULT_TIMEOUT';

  constructor(
    readonly executionId: string,
    readonly timeoutMs: number,
  ) {
    super(
      `Execution ${executionId} had not ended after ${timeoutMs} ms. It goes on: ask for its result again, with more time.`,
    );
  }
}
