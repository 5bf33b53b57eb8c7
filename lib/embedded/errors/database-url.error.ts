import { ConductorError } from '../../errors/conductor.error.js';

/** `DATABASE_URL` is set, but does not name a Postgres server. Its value is never shown: it may hold a password. */
export class DatabaseUrlError extends ConductorError {
  readonly code = 'CONDUCTOR_DATABASE_URL';

  constructor() {
    super(
      'DATABASE_URL is set but cannot be read. Write it as postgres://user:password@host:5432/database, with characters ' +
        'such as / ? # @ in the password percent-encoded, or unset it to use the embedded Postgres.',
    );
  }
}
