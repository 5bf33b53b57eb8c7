import { statusCode as status } from '../../execution/execution-status.js';
import { sqlFunction } from './sql-function.js';

/** The predicate of the partial index run_ready, word for word: the planner has to recognise it. */
export const ready = (alias: string) =>
  `${alias}.status in (${status.pending}, ${status.suspended}) and not ${alias}.alone`;

/** The same of the partial index run_alone. */
export const waitsAlone = (alias: string) =>
  `${alias}.status in (${status.pending}, ${status.suspended}) and ${alias}.alone`;

/** The next lane below (p_priority, p_status), and above the other where that is given, that has rows of these tasks, a lane being
 *  a (priority, status). One index probe a task: a loose scan, since Postgres has none of its own. */
export const nextLane = sqlFunction({
  name: 'next_lane',
  parameters: [
    'p_tasks int[]',
    'p_priority int',
    'p_status int',
    'p_above_priority int default -32769',
    'p_above_status int default 0',
  ],
  returns: 'table(priority smallint, status smallint)',
  language: 'sql',
  body: (s) => `
select l.priority, l.status
from unnest(p_tasks) t(id)
cross join lateral (
  select r.priority, r.status from ${s}.run r
  where r.task_id = t.id and ${ready('r')} and (r.priority, r.status) < (p_priority, p_status)
    and (r.priority, r.status) > (p_above_priority, p_above_status)
  order by r.priority desc, r.status desc limit 1) l
order by l.priority desc, l.status desc limit 1`,
});

/** When the next execution of these tasks may be claimed; null: none waits. May lie in the past. */
export const nextDue = sqlFunction({
  name: 'next_due',
  parameters: ['p_tasks int[]'],
  returns: 'timestamptz',
  body: (s) => `
declare
  lane_priority smallint := 32767;
  lane_status smallint := 32767;
  due timestamptz;
begin
  select min(a.run_at) into due from unnest(p_tasks) t(id)
  cross join lateral (
    select r.run_at from ${s}.run r where r.task_id = t.id and ${waitsAlone('r')}
    order by r.run_at limit 1) a;
  loop
    select l.priority, l.status into lane_priority, lane_status from ${s}.next_lane(p_tasks, lane_priority, lane_status) l;
    exit when not found;
    due := least(due, (
      select min(h.run_at) from unnest(p_tasks) t(id)
      cross join lateral (
        select r.run_at from ${s}.run r
        where r.task_id = t.id and ${ready('r')} and r.priority = lane_priority and r.status = lane_status
        order by r.run_at limit 1) h));
  end loop;
  return due;
end`,
});
