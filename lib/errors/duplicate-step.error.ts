import { ConductorError } from './conductor.error.js';

/** A handler used one name for two steps or waits; results could not be told apart. */
export class DuplicateStepError extends ConductorError {
  readonly code = 'CONDUCTOR_DUPLICATE_STEP';

  constructor(readonly step: string) {
    super(
      `The name "${step}" is used twice in this execution. Steps and sleeps share one name space: give each its own, in a ` +
        'loop with a part that differs, such as the id of the item.',
    );
  }
}
