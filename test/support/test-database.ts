import { randomBytes } from 'node:crypto';
import pg from 'pg';

/** A database of a test file's own. */
export interface TestDatabase {
  url: string;
  query<T = Record<string, unknown>>(sql: string, params?: unknown[]): Promise<T[]>;
  /** Holds the strongest lock on a table meanwhile. */
  whileLocked(table: string, act: () => Promise<void>): Promise<void>;
  drop(): Promise<void>;
}

/** Creates a database on the server of this jest run. Its role has to be allowed to. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const server = process.env['TEST_POSTGRES_URL'];
  if (server === undefined)
    throw new Error('TEST_POSTGRES_URL is not set: jest’s globalSetup did not run.');
  const name = `conductor_test_${process.pid}_${randomBytes(4).toString('hex')}`;
  await asAdmin(server, `create database "${name}"`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  const pool = new pg.Pool({ connectionString: url.href, max: 4 });
  pool.on('error', () => undefined); // a test may end connections on purpose
  return {
    url: url.href,
    query: async <T>(sql: string, params?: unknown[]) =>
      (await pool.query(sql, params)).rows as T[],
    whileLocked: async (table, act) => {
      const session = await pool.connect();
      try {
        await session.query(`begin; lock table ${table} in access exclusive mode`);
        await act();
      } finally {
        await session.query('rollback');
        session.release();
      }
    },
    drop: async () => {
      await pool.end();
      await asAdmin(server, `drop database if exists "${name}" with (force)`);
    },
  };
}

async function asAdmin(server: string, sql: string): Promise<void> {
  const client = new pg.Client(server);
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
