import type pg from 'pg';
import type { Query } from './cluster.js';

/** A body that began, as it wrote it down itself. */
export interface Effect {
  execution: string;
  step: string;
  /** The attempt that it ran in: the execution's fence. */
  claim: number;
  /** Names this run of the body. */
  effect: string;
}

/** Milliseconds since 1970 by the server's clock, which the audit uses too. */
export type LedgerRow = Effect & { pid: number; at: number };

/** Bodies that began, and what transactional ones have committed. No unique key anywhere: what runs twice shall be seen twice. */
export async function createLedger(query: Query): Promise<void> {
  for (const table of ['effect', 'committed']) {
    await query(
      `create table ${table} (
         execution uuid not null, step text not null, claim int not null, effect uuid not null, pid int not null,
         at timestamptz not null default clock_timestamp())`,
    );
  }
}

export async function insertEffect(
  into: { query(sql: string, parameters: unknown[]): Promise<unknown> },
  { execution, step, claim, effect }: Effect,
  table: 'effect' | 'committed' = 'effect',
): Promise<void> {
  await into.query(
    `insert into ${table} (execution, step, claim, effect, pid) values ($1, $2, $3, $4, $5)`,
    [execution, step, claim, effect, process.pid],
  );
}

/** How often this body has begun, in all attempts. */
export async function countEffects(
  pool: pg.Pool,
  { execution, step }: Pick<Effect, 'execution' | 'step'>,
): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    `select count(*)::int from effect where execution = $1 and step = $2`,
    [execution, step],
  );
  return rows[0]!.count;
}

/** What transactional steps have committed, in the engine's own database. */
export function readCommitted(query: Query): Promise<LedgerRow[]> {
  return rowsOf(query, 'committed');
}

export function readLedger(query: Query): Promise<LedgerRow[]> {
  return rowsOf(query, 'effect');
}

function rowsOf(query: Query, table: string): Promise<LedgerRow[]> {
  return query<LedgerRow>(
    `select execution, step, claim, effect, pid, extract(epoch from at)::float8 * 1000 as at from ${table} order by at`,
  );
}
