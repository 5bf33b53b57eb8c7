import { ConductorError } from './conductor.error.js';

/** `other`: there is a conductor, but not this one. `invisible`: none can be seen. `refused`: the role may not write to it. */
export type OtherDatabaseReason = 'other' | 'invisible' | 'refused';

/** The DataSource that transactional steps use does not lead to the conductor's own schema, so nothing could commit together. */
export class OtherDatabaseError extends ConductorError {
  readonly code = 'CONDUCTOR_OTHER_DATABASE';

  constructor(
    readonly reason: OtherDatabaseReason,
    readonly dataSource: string,
    readonly schema: string,
  ) {
    super(`The DataSource "${dataSource}" of option transactions ${explained(reason, schema)}`);
  }
}

function explained(reason: OtherDatabaseReason, schema: string): string {
  switch (reason) {
    case 'other':
      return `leads to another database than connection: the "${schema}" that it sees is not this conductor's. Let both lead to one database.`;
    case 'invisible':
      return (
        `cannot read the schema "${schema}": let it lead to the conductor's database, and give its role the rights: ` +
        `grant usage on schema "${schema}" to <role>; grant select, insert, update on all tables in schema "${schema}" to <role>.`
      );
    case 'refused':
      return (
        `may not record steps in the schema "${schema}". Give its role the rights: grant usage on schema "${schema}" to <role>; ` +
        `grant select, insert, update on all tables in schema "${schema}" to <role>.`
      );
  }
}
