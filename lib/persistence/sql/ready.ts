import { statusCode as status } from '../../execution/execution-status.js';
import { onlyIndexes, sqlFunction } from './sql-function.js';

/** The predicate of the partial index run_ready, word for word: the planner has to recognise it. */
export const ready = (alias: string) =>
  `${alias}.status in (${status.pending}, ${status.suspended}) and not ${alias}.alone`;

/** The same of the partial index run_alone. */
export const waitsAlone = (alias: string) =>
  `${alias}.status in (${status.pending}, ${status.suspended}) and ${alias}.alone`;

/** The next lane below (p_priority, p_status), and above the other where that is given, that has rows of these tasks, a lane being
 *  a (priority, status). One index probe a task: a loose scan, since Postgres has none of its own. A loop and no join with
 *  unnest(p_tasks): that is planned anew in every call, since a plan for any array looks dearer than one for this array, and
 *  takes ten times as long as the probes. */
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
  planning: [onlyIndexes],
  body: (s) => `
#variable_conflict use_column
declare
  task int;
  head record;
begin
  foreach task in array p_tasks loop
    select r.priority, r.status into head from ${s}.run r
    where r.task_id = task and ${ready('r')} and (r.priority, r.status) < (p_priority, p_status)
      and (r.priority, r.status) > (p_above_priority, p_above_status)
    order by r.priority desc, r.status desc limit 1;
    if found and (priority is null or (head.priority, head.status) > (priority, status)) then
      priority := head.priority;
      status := head.status;
    end if;
  end loop;
  if priority is not null then return next; end if;
end`,
});

/** When the next execution of these tasks may be claimed; null: none waits. May lie in the past. */
export const nextDue = sqlFunction({
  name: 'next_due',
  parameters: ['p_tasks int[]'],
  returns: 'timestamptz',
  planning: [onlyIndexes],
  body: (s) => `
declare
  task int;
  lane_priority smallint;
  lane_status smallint;
  head timestamptz;
  due timestamptz;
begin
  foreach task in array p_tasks loop
    due := least(due, (
      select r.run_at from ${s}.run r where r.task_id = task and ${waitsAlone('r')}
      order by r.run_at limit 1));
    lane_priority := 32767;
    lane_status := 32767;
    loop
      select r.priority, r.status, r.run_at into lane_priority, lane_status, head from ${s}.run r
      where r.task_id = task and ${ready('r')} and (r.priority, r.status) < (lane_priority, lane_status)
      order by r.priority desc, r.status desc, r.run_at limit 1;
      exit when not found;
      due := least(due, head);
    end loop;
  end loop;
  return due;
end`,
});
