import type { MigrationInterface } from 'typeorm';
import { Initial1764000000000 } from './migrations/1764000000000-initial.js';

/** What code knows of the schema: the version that it works with, and how to come there. A migration writes its version, and the
 *  oldest one that may work beside it, into `installation`; it leaves what the version before it needs (a new function stands
 *  beside the old one, a new column is nullable), so that workers of the version before go on beside those of the new one. */
export interface SchemaCode {
  version: number;
  /** In the order in which they are applied; one for each version. */
  migrations: (new () => MigrationInterface)[];
}

export const schemaCode: SchemaCode = { version: 1, migrations: [Initial1764000000000] };
