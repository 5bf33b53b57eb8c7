import { ConductorError } from './conductor.error.js';

/** A call that cannot be carried out as it was asked for; nothing was written. */
export class InvalidInvokeError extends ConductorError {
  readonly code = 'CONDUCTOR_INVALID_INVOKE';

  constructor(readonly problems: readonly string[]) {
    super(
      [
        'The call cannot be carried out, and nothing was written. Correct the following:',
        ...problems.map((problem) => `  - ${problem}`),
      ].join('\n'),
    );
  }
}
