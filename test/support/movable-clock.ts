import type { TestDatabase } from './test-database.js';

/** Moves the time of a test's database: all SQL reads it from one function of the conductor's schema, which this replaces. */
export function movableClock(database: TestDatabase, schema = 'conductor') {
  return {
    async install(): Promise<void> {
      await database.query(`create table if not exists public.clock_offset (ms bigint not null)`);
      await database.query(`insert into public.clock_offset values (0)`);
      await database.query(
        `create or replace function "${schema}".clock() returns timestamptz language sql as
         $$select clock_timestamp() + (select ms from public.clock_offset) * interval '1 ms'$$`,
      );
    },
    async advance(ms: number): Promise<void> {
      await database.query(`update public.clock_offset set ms = ms + $1`, [ms]);
    },
    /** Milliseconds since 1970. */
    async now(): Promise<number> {
      const [row] = await database.query<{ now: Date }>(`select "${schema}".clock() as now`);
      return row!.now.getTime();
    },
  };
}
