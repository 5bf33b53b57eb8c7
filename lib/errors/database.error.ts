import { ConductorError } from './conductor.error.js';

/** Postgres refused a statement for a reason that trying again does not mend. */
export class DatabaseError extends ConductorError {
  readonly code = 'CONDUCTOR_DATABASE';

  constructor(
    /** SQLSTATE, or the code of a socket error. */
    readonly sqlState: string | undefined,
    reason: string,
  ) {
    super(
      `Postgres refused a statement${sqlState === undefined ? '' : ` (${sqlState})`}: ${reason}`,
    );
  }
}
