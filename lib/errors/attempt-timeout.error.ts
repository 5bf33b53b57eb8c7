import { ConductorError } from './conductor.error.js';

/** One activation of the handler took longer than the task's `timeout`. The attempt has failed, whatever the handler still
 *  comes to; the task's `retry` decides whether there is another. */
export class AttemptTimeoutError extends ConductorError {
  readonly code = 'CONDUCTOR_ATTEMPT_TIMEOUT';

  constructor(
    readonly executionId: string,
    readonly taskName: string,
    readonly timeoutMs: number,
  ) {
    super(
      `The handler of task "${taskName}" had not ended after ${timeoutMs} ms, its timeout. Let long work watch ctx.signal, or ` +
        `split it into steps with a timeout of their own (execution ${executionId}).`,
    );
  }
}
