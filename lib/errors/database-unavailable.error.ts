import { ConductorError } from './conductor.error.js';

/** Postgres does not answer, or not in time. Nothing is known to be wrong with what was asked. */
export class DatabaseUnavailableError extends ConductorError {
  readonly code = 'CONDUCTOR_DATABASE_UNAVAILABLE';

  constructor(
    /** `host:port/database`, without credentials. */
    readonly where: string,
    cause: unknown,
    /** What needed the database. */
    what?: string,
  ) {
    const reason = cause instanceof Error && cause.message !== '' ? `: ${cause.message}` : '';
    super(
      `Postgres at ${where} did not answer${what === undefined ? '' : ` (to ${what})`}${reason}. ` +
        'Check that the server runs, that this host can reach it and that it has connections left; then try again.',
      { cause },
    );
  }
}
