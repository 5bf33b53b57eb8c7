import { ConductorError } from './conductor.error.js';

/** An execution asked for more steps and waits than one may record. Its body did not run; trying again does not help. */
export class StepLimitError extends ConductorError {
  readonly code = 'CONDUCTOR_STEP_LIMIT';

  constructor(
    /** The step or wait that was one too many. */
    readonly step: string,
    readonly limit: number,
  ) {
    super(
      `"${step}" would be more than the ${limit} steps and waits that an execution may record: each claim brings all of them along. ` +
        'Do more in one step, or invoke an execution of its own for each part of the work.',
    );
  }
}
