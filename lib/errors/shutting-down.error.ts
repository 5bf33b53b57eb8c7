import { ConductorError } from './conductor.error.js';

/** The worker of this attempt is shutting down: why its signal was aborted at the soft deadline, and, after the hard one, why what
 *  it still asks for is refused. */
export class ShuttingDownError extends ConductorError {
  readonly code = 'CONDUCTOR_SHUTTING_DOWN';

  constructor() {
    super(
      'The worker is shutting down: stop now. The execution goes on elsewhere from its last recorded step, and this attempt does not ' +
        'count. What cannot end before the hard deadline (option shutdown.hard) is left behind and runs again.',
    );
  }
}
