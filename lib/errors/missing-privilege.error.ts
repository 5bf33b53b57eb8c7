import { ConductorError } from './conductor.error.js';

/** The database role of this app may not do what the conductor has to; the app does not start. */
export class MissingPrivilegeError extends ConductorError {
  readonly code = 'CONDUCTOR_MISSING_PRIVILEGE';

  constructor(
    readonly role: string,
    /** What it lacks: `CREATE on database "shop"`. */
    readonly missing: readonly string[],
    /** Statements that help, to be run by an owner. */
    readonly grants: readonly string[],
  ) {
    super(
      `The role "${role}" lacks ${missing.join('; ')}. Let whoever owns it run, then start again:\n` +
        grants.map((grant) => `  ${grant};`).join('\n'),
    );
  }
}
