import { reportCode } from '../../execution/outcome.js';
import { recordKind, recordStatus } from '../../execution/step-record.js';
import { sqlFunction } from './sql-function.js';

/** The parameters of a set of records; save_steps and suspend take the same. */
export const recordParameters = [
  'p_ids uuid[]',
  'p_tokens uuid[]',
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

export const askedRecords = `
    select * from unnest(p_ids, p_tokens, p_names, p_kinds, p_statuses, p_seqs, p_alone, p_fingerprints, p_tries, p_due_in_ms, p_values)
      with ordinality x(id, token, name, kind, status, seq, alone, fingerprint, tries, due_in_ms, value, n)`;

/** Locks the rows these tokens still own. FOR NO KEY UPDATE: the fence is checked under the lock that every claim and every
 *  settle also needs. Locked by somebody else: skipped, so this waits for nobody. */
export const heldRuns = (s: string, asked: string) => `
    select r.id, r.token from ${s}.run r
    join (select distinct a.id, a.token from ${asked} a) a on a.id = r.id and a.token = r.token
    order by r.id for no key update of r skip locked`;

/** A record is written once. Only what is still open may change: a wait keeps the time it was first due at, so that it
 *  never starts over; a step between two tries gets a new one. An optional record that is seen again gets a new place and
 *  keeps its value. */
export const upsertRecords = (s: string, asked: string, held: string) => `
    insert into ${s}.step as o (execution_id, token, recorded_at, due_at, fingerprint, seq, kind, status, tries, alone, name, value)
    select a.id, a.token, ts, ts + a.due_in_ms * interval '1 ms', a.fingerprint, a.seq, a.kind, a.status, a.tries, a.alone, a.name, a.value::json
    from ${asked} a join ${held} h on h.id = a.id and h.token = a.token
    on conflict (execution_id, name) do update
      set token = excluded.token, recorded_at = excluded.recorded_at, seq = excluded.seq, status = excluded.status,
          optional = false, tries = excluded.tries, value = case when o.optional then o.value else excluded.value end,
          due_at = case when o.kind = ${recordKind.sleep} then o.due_at else excluded.due_at end
      where o.optional or (o.status = ${recordStatus.open} and o.seq is null)
    returning o.execution_id, o.token, o.name`;

/** Writes many executions' records in one statement; returns only what was not written, with the reason. */
export const saveSteps = sqlFunction({
  name: 'save_steps',
  parameters: recordParameters,
  returns: 'table(ordinal int, report int)',
  body: (s) => `
declare
  ts timestamptz := ${s}.clock();
begin
  return query
  with asked as materialized (${askedRecords}),
  held as materialized (${heldRuns(s, 'asked')}),
  saved as (${upsertRecords(s, 'asked', 'held')})
  select a.n::int,
         case when exists (select 1 from held h where h.id = a.id and h.token = a.token) then ${reportCode.duplicate}
              when exists (select 1 from ${s}.run r where r.id = a.id and r.token = a.token) then ${reportCode.busy}
              else ${reportCode.lost} end
  from asked a
  where not exists (select 1 from saved v where v.execution_id = a.id and v.token = a.token and v.name = a.name);
end`,
});
