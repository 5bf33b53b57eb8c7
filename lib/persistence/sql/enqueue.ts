import { statusCode as status } from '../../execution/execution-status.js';
import { sqlFunction } from './sql-function.js';

/** What became of an item that made no execution. */
export const enqueueCode = { existing: 0, otherTask: 1, unknownTask: 2 } as const;

/** Accepts many executions at once and returns only the items that created nothing. Idempotent by id: `execution` is the
 *  register of ids, also after the end. Items go in by id order: two clients with the same ids would otherwise deadlock on
 *  its key. All of one statement share one run_at, so their order is that of their ids. */
export const enqueue = sqlFunction({
  name: 'enqueue',
  parameters: [
    'p_ids uuid[]',
    'p_tasks int[]',
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
  made uuid[];
begin
  with asked as materialized (
    select distinct on (x.id) x.id, x.task_id, coalesce(x.run_at, ts + x.delay_ms * interval '1 ms', ts) as run_at, x.payload, coalesce(x.priority, t.priority) as priority,
           coalesce(x.expire_ms, t.expire_after_ms) as expire_ms, coalesce(x.deadline_ms, t.deadline_ms) as deadline_ms, x.deadline
    from unnest(p_ids, p_tasks, p_priorities, p_run_at, p_delays_ms, p_expire_ms, p_deadlines_ms, p_deadlines, p_payloads) with ordinality
         x(id, task_id, priority, run_at, delay_ms, expire_ms, deadline_ms, deadline, payload, n)
    join ${s}.task t on t.id = x.task_id
    order by x.id, x.n),
  accepted as (
    insert into ${s}.execution (id, task_id, priority, created_at, payload)
    select a.id, a.task_id, a.priority, ts, a.payload::json from asked a order by a.id
    on conflict (id) do nothing
    returning id),
  ready as (
    insert into ${s}.run (id, run_at, task_id, priority, status, expires_at, deadline_at)
    select a.id, a.run_at, a.task_id, a.priority, ${status.pending}, a.run_at + a.expire_ms * interval '1 ms',
           coalesce(a.deadline, a.run_at + a.deadline_ms * interval '1 ms')
    from accepted e join asked a on a.id = e.id
    returning id)
  select array_agg(r.id) into made from ready r;

  perform pg_notify(channel, '') from unnest(p_notify) channel;

  if coalesce(cardinality(made), 0) < cardinality(p_ids) then
    return query
      select x.n::int,
             case when e.id is null then ${enqueueCode.unknownTask}
                  when e.task_id = x.task_id then ${enqueueCode.existing}
                  else ${enqueueCode.otherTask} end::smallint
      from (select u.id, u.task_id, u.n, row_number() over (partition by u.id order by u.n) as nth
            from unnest(p_ids, p_tasks) with ordinality u(id, task_id, n)) x
      left join ${s}.execution e on e.id = x.id
      where x.nth > 1 or not x.id = any(coalesce(made, '{}'));
  end if;
end`,
});
