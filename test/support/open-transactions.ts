import type { TestDatabase } from './test-database.js';

/** Transactions of others than the engine, an app's above all, that are open and wait for their client. */
export async function openTransactions(database: TestDatabase): Promise<number> {
  const [row] = await database.query<{ n: number }>(
    `select count(*)::int as n from pg_stat_activity
     where datname = current_database() and state like 'idle in transaction%' and application_name <> 'nest-conductor'`,
  );
  return row!.n;
}
