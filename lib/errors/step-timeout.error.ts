import { ConductorError } from './conductor.error.js';

/** One try of a step's body took longer than the step's `timeout`. It counts as a failed try, which the step's own `retry`
 *  may repeat; what the body still does is not recorded. */
export class StepTimeoutError extends ConductorError {
  readonly code = 'CONDUCTOR_STEP_TIMEOUT';

  constructor(
    readonly stepName: string,
    readonly timeoutMs: number,
  ) {
    super(
      `Step "${stepName}" had not ended after ${timeoutMs} ms, its timeout. Its body may still run: let it watch ctx.signal, ` +
        'which is aborted within the step when its time is over.',
    );
  }
}
