export { startPostgres } from './start-postgres.js';
export type { PostgresOptions, RunningPostgres } from './postgres-options.js';
export { DataDirectoryInUseError } from './errors/data-directory-in-use.error.js';
export { DatabaseUrlError } from './errors/database-url.error.js';
export { PostgresBinariesMissingError } from './errors/postgres-binaries-missing.error.js';
export { PostgresStartError } from './errors/postgres-start.error.js';
