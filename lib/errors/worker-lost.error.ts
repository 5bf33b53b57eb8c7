import { ConductorError } from './conductor.error.js';

/** The process vanished under this execution again and again, the last time while nothing else ran in it. */
export class WorkerLostError extends ConductorError {
  readonly code = 'WORKER_LOST';

  constructor(
    /** How often. */
    readonly losses: number,
  ) {
    super(
      `The process vanished ${losses} ${losses === 1 ? 'time' : 'times'} while it ran this execution, which is not tried ` +
        'again. Look for a crash or for memory running out in its handler; maxLosses says how many are allowed.',
    );
  }
}
