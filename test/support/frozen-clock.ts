import type { Statements } from './persistence.js';

/** Makes the database's time stand still but for `db.clock.advance`, so that a slow machine cannot lapse a lease and what is
 *  stored can be compared to the millisecond. The time it stands at is a day ahead of this process's. */
export async function freezeClock(db: Statements): Promise<void> {
  const tomorrow = new Date((await db.clock.now()) + 86_400_000).toISOString();
  await db.test.query(
    `create or replace function conductor.clock() returns timestamptz language sql as
     $$select timestamptz '${tomorrow}' + (select ms from public.clock_offset) * interval '1 ms'$$`,
  );
}
