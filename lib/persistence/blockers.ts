import type { DataSource } from 'typeorm';
import type { BlockingSession } from '../errors/install-blocked.error.js';

/** Whom a waiting session waits for in the end: those that hold up others and wait for no lock themselves. */
export async function blockersOf(source: DataSource, pid: number): Promise<BlockingSession[]> {
  const rows = await source.query<
    (Omit<BlockingSession, 'state' | 'transactionSeconds'> & {
      state: string | null;
      transactionSeconds: number | null;
    })[]
  >(
    `with recursive chain(pid) as (
       select unnest(pg_blocking_pids($1))
       union select unnest(pg_blocking_pids(c.pid)) from chain c)
     select a.pid, coalesce(a.application_name, '') as application, coalesce(a.usename, '') as user, a.state,
            extract(epoch from clock_timestamp() - a.xact_start)::float8 as "transactionSeconds"
     from chain c join pg_stat_activity a on a.pid = c.pid
     where cardinality(pg_blocking_pids(c.pid)) = 0
     order by a.xact_start nulls last`,
    [pid],
  );
  return rows.map(({ state, transactionSeconds, ...session }) => ({
    ...session,
    state: state ?? undefined,
    transactionSeconds: transactionSeconds ?? undefined,
  }));
}
