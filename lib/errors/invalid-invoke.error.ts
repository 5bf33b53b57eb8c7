import { ConductorError } from './conductor.error.js';

/** An invoke that cannot be carried out as it was asked for; nothing was written. */
export class InvalidInvokeError extends ConductorError {
  readonly code = 'CONDUCTOR_INVALID_INVOKE';

  constructor(readonly problems: readonly string[]) {
    super(
      [
        'This cannot be invoked, and nothing was written. Correct the following:',
        ...problems.map((problem) => `  - ${problem}`),
      ].join('\n'),
    );
  }
}
