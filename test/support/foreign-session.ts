import pg from 'pg';
import type { Statements } from './persistence.js';
import { until } from './until.js';

/** Somebody else's transaction. */
export interface ForeignTransaction {
  query<T = Record<string, unknown>>(sql: string, params?: unknown[]): Promise<T[]>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

/** Opens a transaction on a connection of its own; what the test leaves open is rolled back. */
export async function inForeignTransaction(
  db: Pick<Statements, 'test'>,
  act: (foreign: ForeignTransaction) => Promise<void>,
): Promise<void> {
  const client = new pg.Client(db.test.url);
  await client.connect();
  try {
    await client.query('begin');
    await act({
      query: async <T>(sql: string, params?: unknown[]) =>
        (await client.query(sql, params)).rows as T[],
      commit: async () => void (await client.query('commit')),
      rollback: async () => void (await client.query('rollback')),
    });
  } finally {
    await client.end();
  }
}

/** Resolves when a statement of this database waits for a lock. */
export async function somebodyWaits(db: Statements): Promise<void> {
  await until(async () => {
    const waiting = await db.test.query(
      `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return waiting.length > 0;
  });
}
