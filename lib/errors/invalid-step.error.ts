import { ConductorError } from './conductor.error.js';

/** A step or a wait was asked for in a way that cannot work; nothing ran and nothing was recorded. */
export class InvalidStepError extends ConductorError {
  readonly code = 'CONDUCTOR_INVALID_STEP';

  constructor(
    /** `ctx.step`, `ctx.sleep`… */
    readonly call: string,
    readonly problems: readonly string[],
  ) {
    super(`${call} cannot work: ${problems.join('; ')}.`);
  }
}
