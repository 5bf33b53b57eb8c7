import { reportCode } from '../../execution/outcome.js';
import { recordKind, recordStatus } from '../../execution/step-record.js';
import { plannedOnce, sqlFunction } from './sql-function.js';

/** The parameters of many executions' records; save_steps and suspend take the same. A record names its execution by the place in
 *  p_ids. */
export const recordParameters = [
  'p_ids uuid[]',
  'p_tokens uuid[]',
  'p_items int[]',
  'p_names text[]',
  'p_kinds smallint[]',
  'p_statuses smallint[]',
  'p_seqs int[]',
  'p_alone boolean[]',
  'p_fingerprints bigint[]',
  'p_tries smallint[]',
  'p_due_in_ms double precision[]',
  'p_values text[]',
];

/** For each of p_ids, whether its token still owns it; then its row is locked. FOR NO KEY UPDATE: the fence is checked under the lock
 *  that every claim and every settle also needs. Locked by somebody else: skipped, so this waits for nobody. The token says that it
 *  runs; see settle for what asking for the status as well did. An array and not a CTE, which Postgres takes for ten rows: joined to the
 *  records by a nested loop, a batch of 500 took 60 µs for each. */
export const held = (s: string) => `
    array(
      select h.id is not null from unnest(p_ids, p_tokens) with ordinality a(id, token, n)
      left join lateral (
        select r.id from ${s}.run r where r.id = a.id and r.token = a.token for no key update skip locked) h on true
      order by a.n)`;

/** A record is written once. Only what is still open may change: a wait keeps the time it was first due at, so that it
 *  never starts over; a step between two tries gets a new one. An optional record that is seen again gets a new place and
 *  keeps its value. */
export const upsertRecords = (s: string) => `
    insert into ${s}.step as o (execution_id, token, recorded_at, due_at, fingerprint, seq, kind, status, tries, alone, name, value)
    select p_ids[a.item], p_tokens[a.item], ts, ts + a.due_in_ms * interval '1 ms', a.fingerprint, a.seq, a.kind, a.status, a.tries,
           a.alone, a.name, a.value::json
    from unnest(p_items, p_names, p_kinds, p_statuses, p_seqs, p_alone, p_fingerprints, p_tries, p_due_in_ms, p_values)
         a(item, name, kind, status, seq, alone, fingerprint, tries, due_in_ms, value)
    where held[a.item]
    on conflict (execution_id, name) do update
      set token = excluded.token, recorded_at = excluded.recorded_at, seq = excluded.seq, status = excluded.status,
          optional = false, tries = excluded.tries, value = case when o.optional then o.value else excluded.value end,
          due_at = case when o.kind = ${recordKind.sleep} then o.due_at else excluded.due_at end
      where o.optional or (o.status = ${recordStatus.open} and o.seq is null)`;

/** Writes many executions' records in one statement; returns only what was not written, by its place, with the reason. */
export const saveSteps = sqlFunction({
  name: 'save_steps',
  parameters: recordParameters,
  returns: 'table(ordinal int, report int)',
  planning: plannedOnce,
  body: (s) => `
declare
  ts timestamptz := ${s}.clock();
  held boolean[] := ${held(s)};
  saved_ids uuid[];
  saved_names text[];
begin
  with saved as (${upsertRecords(s)} returning o.execution_id, o.name)
  select array_agg(v.execution_id), array_agg(v.name) into saved_ids, saved_names from saved v;

  if coalesce(cardinality(saved_ids), 0) < cardinality(p_items) then
    return query
      select a.n::int,
             case when held[a.item] then ${reportCode.duplicate}
                  when exists (select 1 from ${s}.run r where r.id = p_ids[a.item] and r.token = p_tokens[a.item]) then ${reportCode.busy}
                  else ${reportCode.lost} end
      from unnest(p_items, p_names) with ordinality a(item, name, n)
      where not held[a.item]
         or not exists (select 1 from unnest(saved_ids, saved_names) v(id, name) where v.id = p_ids[a.item] and v.name = a.name);
  end if;
end`,
});
