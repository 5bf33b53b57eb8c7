import { ConductorError } from './conductor.error.js';

/** A call that waits or records was made inside the body of a step, which is recorded as one whole. */
export class InsideStepError extends ConductorError {
  readonly code = 'CONDUCTOR_INSIDE_STEP';

  constructor(
    readonly step: string,
    /** The method that was called. */
    readonly call: string,
  ) {
    super(
      `${call} was called inside the body of step "${step}". A body is one record, so nothing in it can wait or be committed by itself: ` +
        `end the step first and call ${call} from the handler.`,
    );
  }
}
