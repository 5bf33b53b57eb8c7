import { ConductorError } from '../../errors/conductor.error.js';

/** Another Postgres serves this data directory. Two servers on the same files would destroy them. */
export class DataDirectoryInUseError extends ConductorError {
  readonly code = 'CONDUCTOR_DATA_DIRECTORY_IN_USE';

  constructor(
    readonly directory: string,
    /** Process id of the server that holds it, where known. */
    readonly pid?: number,
  ) {
    super(
      `Another Postgres${pid === undefined ? '' : ` (process ${pid})`} is running on the data directory ${directory}. ` +
        `End the program that started it, choose another directory, or point DATABASE_URL at that server.`,
    );
  }
}
