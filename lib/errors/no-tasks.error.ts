import { ConductorError } from './conductor.error.js';

/** The app was told to be a worker and has nothing to work on; it does not start. */
export class NoTasksError extends ConductorError {
  readonly code = 'CONDUCTOR_NO_TASKS';

  constructor() {
    super(
      'The role is "worker", but no provider or controller of this app has a @Task method. Import the modules that provide ' +
        'the handlers, or use role "client" in an app that only invokes.',
    );
  }
}
