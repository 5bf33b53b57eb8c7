import type { ExecutionCancelledError } from '../../errors/execution-cancelled.error.js';
import { statusCode as status } from '../../execution/execution-status.js';
import { cancelCode as code } from '../../execution/cancel-answer.js';
import { sqlFunction } from './sql-function.js';

const cancelled = 'CONDUCTOR_EXECUTION_CANCELLED' satisfies ExecutionCancelledError['code'];

/** Why, in the form of an outcome's error; null where no reason was given. */
const asError = (reason: string) =>
  `case when ${reason} is not null
     then json_build_object('name', 'ExecutionCancelledError', 'code', '${cancelled}', 'message', ${reason}) end`;

/** The same, of an execution whose cancel was requested while it ran. */
export const requestedReason = (s: string, id: string) =>
  `(select ${asError('c.reason')} from ${s}.cancellation c where c.execution_id = ${id})`;

/** Ends an execution that no worker runs, and asks for the end of one that runs. What leaves `running` with that request in its row is
 *  cancelled, whatever it came to, unless its handler returned: settle, recover and release_orphans see to it, and run_cancel refuses
 *  every other way.
 *
 *  - The row's lock is waited for: claim, settle and suspend hold it for as long as they take, and what they leave is what counts. If it is
 *    gone then, only a statement after that sees its outcome.
 *  - p_token is the request's own: sent again after a lost reply, it is answered as it was. A first request's reason stays.
 *  - queue_id, where a handler has to be told: the heartbeat brings it, a hint to the queue's workers brings the heartbeat. */
export const cancel = sqlFunction({
  name: 'cancel',
  parameters: ['p_id uuid', 'p_token uuid', 'p_reason text'],
  returns: 'table(answer int, queue_id int)',
  body: (s) => `
#variable_conflict use_column
declare
  ts timestamptz;
  held record;
begin
  select r.status, r.task_id, r.cancel_requested into held from ${s}.run r where r.id = p_id for update;
  if not found then
    return query
      select case when exists (select 1 from ${s}.cancellation c where c.execution_id = p_id and c.token = p_token) then ${code.requested}
                  when o.id is null then ${code.unknown}
                  when o.token = p_token then ${code.cancelled}
                  else ${code['too-late']} end, null::int
      from (select 1) x left join ${s}.outcome o on o.id = p_id;
    return;
  end if;
  ts := ${s}.clock();

  if held.status <> ${status.running} then
    with ended as (
      delete from ${s}.run r where r.id = p_id
      returning r.id, r.started_at, r.task_id, r.claims, r.failures, r.losses)
    insert into ${s}.outcome (id, token, finished_at, started_at, task_id, claims, status, failures, losses, error)
    select e.id, p_token, ts, e.started_at, e.task_id, e.claims, ${status.cancelled}, e.failures, e.losses, ${asError('p_reason')}
    from ended e;
    return query select ${code.cancelled}, null::int;
    return;
  end if;

  if not held.cancel_requested then
    update ${s}.run r set cancel_requested = true where r.id = p_id;
    insert into ${s}.cancellation (execution_id, token, requested_at, reason) values (p_id, p_token, ts, p_reason);
  end if;
  return query select ${code.requested}, t.queue_id from ${s}.task t where t.id = held.task_id;
end`,
});
