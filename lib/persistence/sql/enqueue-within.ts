import { statusCode as status } from '../../execution/execution-status.js';
import { asked, enqueueCode, itemParameters, stored } from './enqueue.js';
import { plannedOnce, sqlFunction } from './sql-function.js';

/** Codes that stand for all items: nothing was written. */
export const withinCode = { ended: 4, unknownTask: enqueueCode.unknownTask } as const;

/** Accepts executions in a transaction of the caller's, in which nothing is set and, but for what Postgres itself refuses, nothing fails.
 *
 *  - p_transaction: the transaction that it was called for. Whoever did not await us may have ended it: then we would be accepted
 *    although it was rolled back.
 *  - A snapshot of the caller's may be older than the task's row: p_known_… are its settings, read outside.
 *  - An id in another open transaction is waited for, within the caller's own time-outs: whether it exists is decided by its end.
 *    Under a snapshot, an id that was committed since is a serialization failure, as Postgres has it.
 *  - Ids of another task are looked for before anything is written, so that all are accepted or none; one that is committed in between
 *    is an error. Ids that we made are nobody's, and are not looked for: serializable transactions would fail each other by
 *    having read the same end of the index.
 *  - The notification goes out with the caller's commit, which is why it cannot be one for all that come within 10 ms. */
export const enqueueWithin = sqlFunction({
  name: 'enqueue_within',
  parameters: [
    'p_transaction text',
    ...itemParameters,
    'p_notify text[]',
    'p_fresh boolean',
    'p_known_priorities smallint[]',
    'p_known_expire_ms bigint[]',
    'p_known_deadlines_ms bigint[]',
  ],
  returns: 'table(ordinal int, code smallint)',
  planning: plannedOnce,
  body: (s) => `
#variable_conflict use_column
declare
  ts timestamptz := ${s}.clock();
  tasks_priority smallint[];
  tasks_expire_ms bigint[];
  tasks_deadline_ms bigint[];
  made uuid[];
begin
  if pg_current_xact_id()::text <> p_transaction then
    return query select null::int, ${withinCode.ended}::smallint;
    return;
  end if;

  select array_agg(coalesce(t.priority, k.priority) order by k.place),
         array_agg(case when t.id is null then k.expire_ms else t.expire_after_ms end order by k.place),
         array_agg(case when t.id is null then k.deadline_ms else t.deadline_ms end order by k.place)
  into tasks_priority, tasks_expire_ms, tasks_deadline_ms
  from unnest(p_tasks, p_known_priorities, p_known_expire_ms, p_known_deadlines_ms) with ordinality k(id, priority, expire_ms, deadline_ms, place)
  left join ${s}.task t on t.id = k.id;
  if array_position(tasks_priority, null) is not null then
    return query select null::int, ${withinCode.unknownTask}::smallint;
    return;
  end if;

  if not p_fresh then
    return query
      select x.n::int, ${enqueueCode.otherTask}::smallint
      from (${stored}) x join ${s}.execution e on e.id = x.id where e.task_id <> p_tasks[x.place];
    if found then return; end if;
  end if;

  with accepted as (
    insert into ${s}.execution (id, task_id, priority, created_at, payload, headers)
    select distinct on (x.id) x.id, p_tasks[x.place], coalesce(x.priority, tasks_priority[x.place]), ts, x.payload::json, x.headers::json
    from (${stored}) x
    order by x.id, x.n
    on conflict (id) do nothing
    returning id)
  select coalesce(array_agg(a.id), '{}') into made from accepted a;

  insert into ${s}.run (id, run_at, task_id, priority, deadline_at, expires_at, status)
  select distinct on (x.id) x.id, x.run_at, x.task_id, x.priority, x.deadline_at, x.expires_at, ${status.pending}
  from (${asked}) x
  where x.id in (select m from unnest(made) m)
  order by x.id, x.n;

  if cardinality(made) > 0 then
    perform pg_notify(channel, '') from unnest(p_notify) channel;
  end if;

  if cardinality(made) < cardinality(p_ids) then
    return query
      select x.n::int, case when e.task_id <> x.task_id then ${enqueueCode.otherTask} else ${enqueueCode.existing} end::smallint
      from (select u.id, p_tasks[coalesce(u.place, 1)] as task_id, u.n, row_number() over (partition by u.id order by u.n) as nth
            from unnest(p_ids, p_places) with ordinality u(id, place, n)) x
      left join ${s}.execution e on e.id = x.id
      where x.nth > 1 or not x.id = any(made);
    if cardinality(made) > 0 and exists (
      select from (${stored}) x join ${s}.execution e on e.id = x.id
      where not x.id = any(made) and e.task_id <> p_tasks[x.place])
    then
      raise exception 'an id has just been given to an execution of another task' using errcode = 'unique_violation';
    end if;
  end if;
end`,
});
