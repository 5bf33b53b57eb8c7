import { ConductorError } from './conductor.error.js';

/** `missing`: nothing is installed. `behind`: migrations are pending. `ahead`: newer code has upgraded the schema so far that
 *  this code must not touch it. `occupied`: the schema holds something else, so nothing was installed in it. */
export type SchemaVersionFacts =
  | { reason: 'missing'; schema: string }
  | { reason: 'occupied'; schema: string; found: readonly string[] }
  | { reason: 'behind'; schema: string; pending: readonly string[] }
  | {
      reason: 'ahead';
      schema: string;
      /** Version of the schema, the oldest version of the code that may work with it, and this code's version. */
      installed: number;
      minCompatible: number;
      code: number;
    };

/** The conductor's schema and this code do not fit together; the app does not start, or its worker claims nothing more. */
export class SchemaVersionError extends ConductorError {
  readonly code = 'CONDUCTOR_SCHEMA_VERSION';
  readonly reason: SchemaVersionFacts['reason'];

  constructor(readonly facts: SchemaVersionFacts) {
    super(messageOf(facts));
    this.reason = facts.reason;
  }
}

function messageOf(facts: SchemaVersionFacts): string {
  switch (facts.reason) {
    case 'missing':
      return (
        `The schema "${facts.schema}" is not installed in this database. Start one app with migrations: "auto" and a role ` +
        'that may create it, or check that connection and schema name the right place.'
      );
    case 'occupied':
      return (
        `The schema "${facts.schema}" holds what is not the conductor's: ${facts.found.join(', ')}. Give the conductor a schema ` +
        'of its own (option schema), or empty this one.'
      );
    case 'behind':
      return (
        `The schema "${facts.schema}" is older than this code; not applied yet: ${facts.pending.join(', ')}. ` +
        'Start one app with migrations: "auto" before the others.'
      );
    case 'ahead':
      return (
        `The schema "${facts.schema}" has version ${facts.installed} and needs code of version ${facts.minCompatible} or ` +
        `newer; this code has version ${facts.code}. Upgrade nest-conductor in this app.`
      );
  }
}
