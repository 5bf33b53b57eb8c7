import { ConductorError } from '../../errors/conductor.error.js';

/** Postgres could not be created or started. */
export class PostgresStartError extends ConductorError {
  readonly code = 'CONDUCTOR_POSTGRES_START';

  constructor(
    reason: string,
    /** The last lines that the program itself wrote; empty if it never ran. */
    readonly output: readonly string[] = [],
  ) {
    super([`Postgres did not start: ${reason}`, ...output.map((line) => `  ${line}`)].join('\n'));
  }
}
