import { ConductorError } from './conductor.error.js';

/** Two methods of one app handle the same task; the app does not start. */
export class DuplicateTaskError extends ConductorError {
  readonly code = 'CONDUCTOR_DUPLICATE_TASK';

  constructor(
    readonly task: string,
    readonly queue: string,
    /** The methods, as `Class.method`. */
    readonly first: string,
    readonly second: string,
  ) {
    super(
      `Task "${task}" on queue "${queue}" is handled by both ${first} and ${second}. ` +
        'Give one of them another name or another queue, or provide the class only once.',
    );
  }
}
