import type { DeadlineExceededError } from '../../errors/deadline-exceeded.error.js';
import type { ExpiredError } from '../../errors/expired.error.js';
import { statusCode as status } from '../../execution/execution-status.js';
import { sqlFunction } from './sql-function.js';

const expired = 'CONDUCTOR_EXPIRED' satisfies ExpiredError['code'];
const deadline = 'CONDUCTOR_DEADLINE' satisfies DeadlineExceededError['code'];

/** Whether its time is over; null, so not true, for an execution without a limit. */
export const isOverdue = (alias: string) =>
  `least(${alias}.expires_at, ${alias}.deadline_at) <= ts`;

/** What no worker runs and is overdue. The first condition is that of the index run_overdue. */
export const overdueAtRest = (alias: string) =>
  `(${alias}.expires_at is not null or ${alias}.deadline_at is not null) and ${isOverdue(alias)}
     and ${alias}.status in (${status.pending}, ${status.suspended}, ${status.blocked})`;

/** Ends what waits although its time is over, at most p_limit. What is running is told by its worker's timer, and ended by its
 *  settle; a lost one comes here once it is recovered. */
export const endOverdue = sqlFunction({
  name: 'end_overdue',
  parameters: ['p_limit int'],
  returns: 'int',
  body: (s) => `
declare
  ts timestamptz := ${s}.clock();
  ended int;
begin
  with late as materialized (
    select r.id from ${s}.run r where ${overdueAtRest('r')}
    order by least(r.expires_at, r.deadline_at) limit p_limit for update skip locked),
  gone as (
    delete from ${s}.run r using late l where r.id = l.id
    returning r.id, r.started_at, r.task_id, r.claims, r.failures, r.losses, r.deadline_at),
  told as (
    insert into ${s}.outcome (id, finished_at, started_at, task_id, claims, status, failures, losses, error)
    select g.id, ts, g.started_at, g.task_id, g.claims, ${status.failed}, g.failures, g.losses,
           case when g.deadline_at <= ts
             then json_build_object('name', 'DeadlineExceededError', 'code', '${deadline}', 'message',
               'Execution ' || g.id || ' had not ended at its deadline, and is not tried again. The deadline counts waits and retries too.')
             else json_build_object('name', 'ExpiredError', 'code', '${expired}', 'message',
               'Execution ' || g.id || ' was not started within its expireAfter. Workers of its queue were missing or busy for too long.')
           end
    from gone g returning id)
  select count(*) into ended from told;
  return ended;
end`,
});
