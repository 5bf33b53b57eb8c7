import { sqlFunction } from './sql-function.js';

/** Ids of tasks by queue and name, made where they are new. An invoke may come before any worker knows the task. */
export const resolveTasks = sqlFunction({
  name: 'resolve_tasks',
  parameters: ['p_queues text[]', 'p_names text[]'],
  returns: 'table(ordinal int, task_id int, queue_id int)',
  body: (s) => `
begin
  insert into ${s}.queue (name) select distinct x from unnest(p_queues) x order by 1 on conflict do nothing;
  insert into ${s}.task (queue_id, name)
    select distinct q.id, x.name from unnest(p_queues, p_names) x(queue, name) join ${s}.queue q on q.name = x.queue
    where not exists (select 1 from ${s}.task t where t.queue_id = q.id and t.name = x.name)
    order by 1, 2 on conflict do nothing;
  return query
    select x.n::int, t.id, q.id from unnest(p_queues, p_names) with ordinality x(queue, name, n)
    join ${s}.queue q on q.name = x.queue
    join ${s}.task t on t.queue_id = q.id and t.name = x.name;
end`,
});

/** What a worker knows of its tasks, for clients and recovery. Of two deploys the higher version wins; of equals the last. */
export const registerTasks = sqlFunction({
  name: 'register_tasks',
  parameters: [
    'p_ids int[]',
    'p_priorities smallint[]',
    'p_max_losses int[]',
    'p_expire_ms bigint[]',
    'p_deadlines_ms bigint[]',
    'p_keep_completed_ms bigint[]',
    'p_keep_failed_ms bigint[]',
    'p_versions int[]',
  ],
  returns: 'setof int',
  language: 'sql',
  body: (s) => `
update ${s}.task t
set priority = x.priority, max_losses = x.max_losses, expire_after_ms = x.expire_ms, deadline_ms = x.deadline_ms,
    keep_completed_ms = x.keep_completed_ms, keep_failed_ms = x.keep_failed_ms, settings_version = x.version
from (select y.* from unnest(p_ids, p_priorities, p_max_losses, p_expire_ms, p_deadlines_ms, p_keep_completed_ms, p_keep_failed_ms, p_versions)
        y(id, priority, max_losses, expire_ms, deadline_ms, keep_completed_ms, keep_failed_ms, version)
      join ${s}.task z on z.id = y.id order by y.id for update of z) x
where t.id = x.id and coalesce(t.settings_version, x.version) <= x.version
returning t.id`,
});
