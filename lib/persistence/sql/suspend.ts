import { statusCode as status } from '../../execution/execution-status.js';
import { reportCode } from '../../execution/outcome.js';
import { recordStatus } from '../../execution/step-record.js';
import { held, recordParameters, upsertRecords } from './save-steps.js';
import { plannedOnce, sqlFunction } from './sql-function.js';

/** `parked`: suspended, nothing more to do. `decided`: a wait is over, deliver it instead; one row for each such wait. `cancelled`: it has
 *  to end, and goes on running for that; the name is the reason. */
export const suspendCode = {
  parked: 10,
  decided: 11,
  cancelled: 12,
  busy: reportCode.busy,
} as const;

/** Parks executions until their earliest wait is over, and saves what they have not saved yet. The rows stay locked from
 *  the fence check to the parking; with a wait already over nothing is parked and the wait is named. Only the waits named
 *  in this call count: an open one that this activation did not ask for must not wake it. An execution for which nothing is
 *  returned has lost its lease. */
export const suspend = sqlFunction({
  name: 'suspend',
  parameters: recordParameters,
  returns: 'table(id uuid, token uuid, code int, name text)',
  planning: plannedOnce,
  body: (s) => `
#variable_conflict use_column
declare
  ts timestamptz := ${s}.clock();
  held boolean[] := ${held(s)};
begin
  ${upsertRecords(s)};

  return query
  with waits as materialized (
    select w.execution_id as id, p_tokens[a.item] as token, w.name, w.due_at
    from unnest(p_items, p_names, p_statuses) a(item, name, status)
    join ${s}.step w on w.execution_id = p_ids[a.item] and w.name = a.name
    where held[a.item] and a.status = ${recordStatus.open} and w.status = ${recordStatus.open}),
  parked as (
    update ${s}.run r
    set status = ${status.suspended}, token = null, worker_id = null, started = false, expires_at = null,
        run_at = w.due_at
    from (select x.id, x.token, min(x.due_at) as due_at from waits x group by x.id, x.token) w
    where r.id = w.id and r.token = w.token and w.due_at > ts and not r.cancel_requested
    returning w.id, w.token)
  select p.id, p.token, ${suspendCode.parked}, null::text from parked p
  union all
  select w.id, w.token, ${suspendCode.decided}, w.name from waits w where w.due_at <= ts
  union all
  select a.id, a.token, ${suspendCode.busy}, null
  from unnest(p_ids, p_tokens) with ordinality a(id, token, n)
  join ${s}.run r on r.id = a.id and r.token = a.token
  where not held[a.n]
  union all
  select a.id, a.token, ${suspendCode.cancelled}, c.reason
  from unnest(p_ids, p_tokens) with ordinality a(id, token, n)
  join ${s}.cancellation c on c.execution_id = a.id
  where held[a.n];
end`,
});
