import { ConductorError } from './conductor.error.js';

/** `other`: there is a conductor, but not this one. `invisible`: none can be seen. `refused`: the role may not write to it. */
export type OtherDatabaseReason = 'other' | 'invisible' | 'refused';

/** For which of the two a DataSource of the app's was to be used. */
export type OtherDatabaseUse = 'steps' | 'using';

const uses = {
  steps: {
    whose: (name: string) => `The DataSource "${name}" of option transactions`,
    refused: 'record steps',
    privileges: 'select, insert, update',
  },
  using: {
    whose: (name: string) => `The DataSource (${name}) of the EntityManager given to using()`,
    refused: 'enqueue',
    privileges: 'select, insert',
  },
} as const;

/** A DataSource of the app's, used by transactional steps or given to `conductor.using`, does not lead to the conductor's own schema, so
 *  nothing could commit together. Nothing was written. */
export class OtherDatabaseError extends ConductorError {
  readonly code = 'CONDUCTOR_OTHER_DATABASE';

  constructor(
    readonly reason: OtherDatabaseReason,
    /** Its name, or which database it is of. */
    readonly dataSource: string,
    readonly schema: string,
    use: OtherDatabaseUse,
  ) {
    super(`${uses[use].whose(dataSource)} ${explained(reason, schema, use)}`);
  }
}

function explained(reason: OtherDatabaseReason, schema: string, use: OtherDatabaseUse): string {
  const { refused, privileges } = uses[use];
  const grants =
    `grant usage on schema "${schema}" to <role>; grant ${privileges} on all tables in schema "${schema}" to <role>; ` +
    `grant execute on all functions in schema "${schema}" to <role>.`;
  switch (reason) {
    case 'other':
      return `leads to another database than connection: the "${schema}" that it sees is not this conductor's. Let both lead to one database.`;
    case 'invisible':
      return `cannot read the schema "${schema}": let it lead to the conductor's database, and give its role the rights: ${grants}`;
    case 'refused':
      return `may not ${refused} in the schema "${schema}". Give its role the rights: ${grants}`;
  }
}
