import type { DataSource } from 'typeorm';

/** Held by whoever installs. One number for all schemas: installing is rare, and its tables are found by name only later. */
const INSTALL_LOCK = 7_305_829_114;

/** Installs or upgrades the schema. The lock is a transaction's, on a connection of its own: a session's lock would be lost
 *  behind a pooler, and a process killed in the middle gives it back. Each migration is one transaction. */
export async function migrate(source: DataSource, schema: string): Promise<void> {
  const lock = source.createQueryRunner();
  try {
    await lock.connect();
    await lock.startTransaction();
    await lock.query(`set local idle_in_transaction_session_timeout = 0`);
    await lock.query(`set local statement_timeout = 0`);
    await lock.query(`set local lock_timeout = 0`);
    await lock.query(`select pg_advisory_xact_lock($1)`, [INSTALL_LOCK]);
    // "create … if not exists" asks for the right to create even where there is nothing to do
    const [existing] = await source.query<unknown[]>(
      `select 1 from pg_namespace where nspname = $1`,
      [schema],
    );
    if (existing === undefined) await source.query(`create schema "${schema}"`);
    await source.runMigrations({ transaction: 'each' });
    await lock.commitTransaction();
  } finally {
    if (lock.isTransactionActive) await lock.rollbackTransaction();
    await lock.release();
  }
}

/** Names of the migrations that this code has and the schema has not. */
export async function pendingMigrations(source: DataSource): Promise<string[]> {
  const { schema, migrationsTableName } = source.options as {
    schema: string;
    migrationsTableName: string;
  };
  const [{ exists }] = await source.query<[{ exists: boolean }]>(
    `select to_regclass($1) is not null as "exists"`,
    [`"${schema}"."${migrationsTableName}"`],
  );
  const known = source.migrations.map((migration) => migration.name ?? migration.constructor.name);
  if (!exists) return known;
  const done = await source.query<{ name: string }[]>(
    `select name from "${schema}"."${migrationsTableName}"`,
  );
  const names = new Set(done.map((row) => row.name));
  return known.filter((name) => !names.has(name));
}
