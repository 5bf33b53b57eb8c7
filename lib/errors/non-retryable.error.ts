import { ConductorError } from './conductor.error.js';

/** Thrown by a handler or a step when trying again cannot help: the execution fails at once, whatever attempts are left. */
export class NonRetryableError extends ConductorError {
  readonly code = 'CONDUCTOR_NON_RETRYABLE';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
  }
}
