import { ConductorError } from './conductor.error.js';

/** A contract or handler that cannot work; the app does not start. */
export class InvalidTaskError extends ConductorError {
  readonly code = 'CONDUCTOR_INVALID_TASK';

  constructor(
    /** Where it is written: `Class.method`, or the call of `defineTask`. */
    readonly source: string,
    readonly problems: readonly string[],
  ) {
    super(
      [
        `${source} cannot be used as a task. Correct the following:`,
        ...problems.map((problem) => `  - ${problem}`),
      ].join('\n'),
    );
  }
}
