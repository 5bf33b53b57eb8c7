import { statusCode as status } from '../../execution/execution-status.js';
import { sqlFunction } from './sql-function.js';

/** What became of an item that made no execution. */
export const enqueueCode = { existing: 0, otherTask: 1, unknownTask: 2 } as const;

/** Accepts many executions at once and returns only the items that created nothing. Idempotent by id: `execution` is the
 *  register of ids, also after the end. All of one statement share one run_at, so their order is that of their ids.
 *
 *  - Items go in by id order: two clients with the same ids would otherwise deadlock on its key. It also fills the pages of both
 *    indexes on ids from left to right.
 *  - What most items leave out is null for all of them together, and a task is named by its place in p_tasks, whose settings
 *    are read once: a join for each item, a CTE that both inserts read, and arrays of nulls cost a quarter more. */
export const enqueue = sqlFunction({
  name: 'enqueue',
  parameters: [
    'p_ids uuid[]',
    'p_tasks int[]',
    'p_places int[]',
    'p_priorities smallint[]',
    'p_run_at timestamptz[]',
    'p_delays_ms bigint[]',
    'p_expire_ms bigint[]',
    'p_deadlines_ms bigint[]',
    'p_deadlines timestamptz[]',
    'p_payloads text[]',
    'p_notify text[]',
  ],
  returns: 'table(ordinal int, code smallint)',
  body: (s) => `
declare
  ts timestamptz := ${s}.clock();
  tasks_priority smallint[];
  tasks_expire_ms bigint[];
  tasks_deadline_ms bigint[];
  made uuid[];
  complete boolean;
begin
  select array_agg(t.priority order by k.place), array_agg(t.expire_after_ms order by k.place), array_agg(t.deadline_ms order by k.place)
  into tasks_priority, tasks_expire_ms, tasks_deadline_ms
  from unnest(p_tasks) with ordinality k(id, place) left join ${s}.task t on t.id = k.id;

  with accepted as (
    insert into ${s}.execution (id, task_id, priority, created_at, payload)
    select distinct on (x.id) x.id, p_tasks[x.place], coalesce(x.priority, tasks_priority[x.place]), ts, x.payload::json
    from (select u.id, coalesce(u.place, 1) as place, u.priority, u.payload, u.n
          from unnest(p_ids, p_places, p_priorities, p_payloads) with ordinality u(id, place, priority, payload, n)) x
    where tasks_priority[x.place] is not null
    order by x.id, x.n
    on conflict (id) do nothing
    returning id)
  select coalesce(array_agg(a.id), '{}') into made from accepted a;
  complete := cardinality(made) = cardinality(p_ids);

  insert into ${s}.run (id, run_at, task_id, priority, status, expires_at, deadline_at)
  select distinct on (x.id) x.id, x.at, p_tasks[x.place], coalesce(x.priority, tasks_priority[x.place]), ${status.pending},
         x.at + coalesce(x.expire_ms, tasks_expire_ms[x.place]) * interval '1 ms',
         coalesce(x.deadline, x.at + coalesce(x.deadline_ms, tasks_deadline_ms[x.place]) * interval '1 ms')
  from (select u.id, coalesce(u.place, 1) as place, u.priority, coalesce(u.run_at, ts + u.delay_ms * interval '1 ms', ts) as at,
               u.expire_ms, u.deadline_ms, u.deadline, u.n
        from unnest(p_ids, p_places, p_priorities, p_run_at, p_delays_ms, p_expire_ms, p_deadlines_ms, p_deadlines) with ordinality
             u(id, place, priority, run_at, delay_ms, expire_ms, deadline_ms, deadline, n)) x
  where complete or x.id in (select m from unnest(made) m)
  order by x.id, x.n;

  perform pg_notify(channel, '') from unnest(p_notify) channel;

  if not complete then
    return query
      select x.n::int,
             case when e.id is null then ${enqueueCode.unknownTask}
                  when e.task_id = x.task_id then ${enqueueCode.existing}
                  else ${enqueueCode.otherTask} end::smallint
      from (select u.id, p_tasks[coalesce(u.place, 1)] as task_id, u.n, row_number() over (partition by u.id order by u.n) as nth
            from unnest(p_ids, p_places) with ordinality u(id, place, n)) x
      left join ${s}.execution e on e.id = x.id
      where x.nth > 1 or not x.id = any(made);
  end if;
end`,
});
