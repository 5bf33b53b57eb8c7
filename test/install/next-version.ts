import type { MigrationInterface, QueryRunner } from 'typeorm';
import { schemaCode, type SchemaCode } from '../../lib/persistence/schema-code.js';
import { settle } from '../../lib/persistence/sql/settle.js';

const VERSION = schemaCode.version + 1;

/** What a next version may bring: a nullable column, and a new form of a function beside the old one. */
class Next1900000000000 implements MigrationInterface {
  readonly name = 'Next1900000000000';

  async up(runner: QueryRunner): Promise<void> {
    const { schema } = runner.connection.options as { schema: string };
    await runner.query(`alter table "${schema}".outcome add column settled_by text`);
    await runner.query(
      settle
        .create(schema)
        .replace(`".settle(`, `".settle_2(`)
        .replace('failures, losses, result)', 'failures, losses, result, settled_by)')
        .replace(
          'e.losses, e.value::json from ended',
          `e.losses, e.value::json, 'next' from ended`,
        ),
    );
    await runner.query(
      `update "${schema}".installation set version = ${VERSION}, min_compatible = ${schemaCode.version}`,
    );
  }

  async down(): Promise<void> {}
}

/** Begins like the next version, and never comes to an end. */
class Endless1900000000000 extends Next1900000000000 {
  override async up(runner: QueryRunner): Promise<void> {
    await super.up(runner);
    await runner.query('select pg_sleep(3600)');
  }
}

export const nextVersion: SchemaCode = {
  version: VERSION,
  migrations: [...schemaCode.migrations, Next1900000000000],
};

export const endlessVersion: SchemaCode = {
  version: VERSION,
  migrations: [...schemaCode.migrations, Endless1900000000000],
};
