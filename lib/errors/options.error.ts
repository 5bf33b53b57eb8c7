import { ConductorError } from './conductor.error.js';

/** The module's options cannot work; the app does not start. All problems are found at once. */
export class InvalidOptionsError extends ConductorError {
  readonly code = 'CONDUCTOR_INVALID_OPTIONS';

  constructor(readonly problems: readonly string[]) {
    super(
      [
        'The options of ConductorModule cannot be used. Correct the following:',
        ...problems.map((problem) => `  - ${problem}`),
      ].join('\n'),
    );
  }
}
