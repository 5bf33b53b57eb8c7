import { ConductorError } from './conductor.error.js';

/** An optional package is needed and not installed. The app does not start, or the call did nothing. */
export class MissingPackageError extends ConductorError {
  readonly code = 'CONDUCTOR_MISSING_PACKAGE';

  constructor(
    /** Its name in the registry. */
    readonly packageName: string,
    /** What needs it: the beginning of the sentence. */
    readonly neededBy: string,
    /** The command that installs it, with what is needed beside it. */
    readonly install: string,
    options?: ErrorOptions,
  ) {
    super(
      `${neededBy} needs the package ${packageName}, and it is not installed: ${install}`,
      options,
    );
  }
}
