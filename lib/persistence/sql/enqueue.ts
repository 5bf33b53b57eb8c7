import { statusCode as status } from '../../execution/execution-status.js';
import { isOverdue } from './overdue.js';
import { plannedOnce, sqlFunction } from './sql-function.js';

/** How long to wait for an id that another transaction, still open, has inserted. Less than deadlock_timeout (1 s): of two that wait for each
 *  other the caller's transaction is never the victim. */
const ID_PATIENCE_MS = 100;

/** What became of an item that made no execution; `started`: a row that bears one which runs already. */
export const enqueueCode = { existing: 0, otherTask: 1, unknownTask: 2, started: 3 } as const;

/** The items that both ways of enqueueing take, in arrays of equal length; all but ids and payloads may be null. */
export const itemParameters = [
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
  'p_headers text[]',
];

/** The items as rows of `run`. */
export const asked = `
    select x.id, x.n, x.at as run_at, p_tasks[x.place] as task_id, coalesce(x.priority, tasks_priority[x.place]) as priority,
           x.at + coalesce(x.expire_ms, tasks_expire_ms[x.place]) * interval '1 ms' as expires_at,
           coalesce(x.deadline, x.at + coalesce(x.deadline_ms, tasks_deadline_ms[x.place]) * interval '1 ms') as deadline_at
    from (select u.id, coalesce(u.place, 1) as place, u.priority, coalesce(u.run_at, ts + u.delay_ms * interval '1 ms', ts) as at,
                 u.expire_ms, u.deadline_ms, u.deadline, u.n
          from unnest(p_ids, p_places, p_priorities, p_run_at, p_delays_ms, p_expire_ms, p_deadlines_ms, p_deadlines) with ordinality
               u(id, place, priority, run_at, delay_ms, expire_ms, deadline_ms, deadline, n)) x`;

/** The items as rows of `execution`. */
export const stored = `
      select u.id, coalesce(u.place, 1) as place, u.priority, u.payload, u.headers, u.n
      from unnest(p_ids, p_places, p_priorities, p_payloads, p_headers) with ordinality u(id, place, priority, payload, headers, n)`;

const insertRuns = (s: string, items: string) => `
    insert into ${s}.run (id, run_at, task_id, priority, deadline_at, expires_at, status, token, worker_id, claims, started, started_at)
    select a.id, a.run_at, a.task_id, a.priority, a.deadline_at, a.expires_at,
           case when a.starts then ${status.running} else ${status.pending} end, case when a.starts then p_token end,
           case when a.starts then p_worker end, a.starts::int, a.starts, case when a.starts then ts end
    from (${items}) a`;

/** Accepts many executions at once and returns only the items that created nothing, and what starts at once. Idempotent by id:
 *  `execution` is the register of ids, also after the end. All of one statement share one run_at, so their order is that of their
 *  ids.
 *
 *  - Items go in by id order: two clients with the same ids would otherwise deadlock on its key. It also fills the pages of both
 *    indexes on ids from left to right.
 *  - What most items leave out is null for all of them together, and a task is named by its place in p_tasks, whose settings
 *    are read once: a join for each item, a CTE that both inserts read, and arrays of nulls cost a quarter more.
 *  - p_fresh: nobody else can have these ids, and this is the first time that they are sent. Then they are inserted without
 *    ON CONFLICT, which writes a log record more for each and needs the list of what was made: a quarter of the time.
 *  - An id of a caller's may be in a transaction of somebody's that is still open: it is waited for shortly only, since others' items and
 *    a connection wait with it.
 *  - p_worker has kept p_slots free in some of its queues, for the tasks p_served: so many are inserted as claimed by it already, with
 *    p_token, which saves the claim. Nothing is overtaken: not while anything of that queue's tasks waits and is due. The worker's row is
 *    locked as by a claim, and passed over when recovery has it, since an invoke waits for nobody's recovery.
 *  - Sent again, it returns what still runs with its token: it may have been applied before, and its reply lost.
 *  - Nobody is told of what runs already. */
export const enqueue = sqlFunction({
  name: 'enqueue',
  parameters: [
    ...itemParameters,
    'p_notify text[]',
    'p_worker int',
    'p_token uuid',
    'p_served int[]',
    'p_served_queues int[]',
    'p_queues int[]',
    'p_slots int[]',
    'p_fresh boolean',
  ],
  returns: `table(ordinal int, code smallint, id uuid, priority smallint, claimed_at double precision, deadline_in_ms double precision)`,
  planning: plannedOnce,
  body: (s) => `
#variable_conflict use_column
declare
  ts timestamptz := ${s}.clock();
  tasks_priority smallint[];
  tasks_expire_ms bigint[];
  tasks_deadline_ms bigint[];
  tasks int[];
  starting uuid[] := '{}';
  made uuid[];
  complete boolean;
begin
  if not p_fresh then perform set_config('lock_timeout', '${ID_PATIENCE_MS}', true); end if;

  select array_agg(t.priority order by k.place), array_agg(t.expire_after_ms order by k.place), array_agg(t.deadline_ms order by k.place)
  into tasks_priority, tasks_expire_ms, tasks_deadline_ms
  from unnest(p_tasks) with ordinality k(id, place) left join ${s}.task t on t.id = k.id;

  if p_worker is not null then
    perform 1 from ${s}.worker w
    where w.id = p_worker and not w.dead and not w.stopping
      and not exists (select 1 from ${s}.installation i where i.min_compatible > w.version) for key share skip locked;
    if found then
      for q in 1 .. cardinality(p_queues) loop
        tasks := array(select t.id from unnest(p_served, p_served_queues) t(id, queue_id) where t.queue_id = p_queues[q]);
        continue when ${s}.next_due(tasks) <= ts;
        starting := starting || array(
          select a.id from (${asked}) a
          where a.task_id = any(tasks) and a.run_at <= ts and (${isOverdue('a')}) is not true
          order by a.priority desc, a.run_at, a.id limit p_slots[q]);
      end loop;
    end if;
  end if;

  if p_fresh and array_position(tasks_priority, null) is null then
    insert into ${s}.execution (id, task_id, priority, created_at, payload, headers)
    select x.id, p_tasks[x.place], coalesce(x.priority, tasks_priority[x.place]), ts, x.payload::json, x.headers::json
    from (${stored}) x order by x.id;
    complete := true;
    ${insertRuns(s, `select x.*, x.id = any(starting) as starts from (${asked}) x order by x.id`)};
  else
    with accepted as (
      insert into ${s}.execution (id, task_id, priority, created_at, payload, headers)
      select distinct on (x.id) x.id, p_tasks[x.place], coalesce(x.priority, tasks_priority[x.place]), ts, x.payload::json, x.headers::json
      from (${stored}) x
      where tasks_priority[x.place] is not null
      order by x.id, x.n
      on conflict (id) do nothing
      returning id)
    select coalesce(array_agg(a.id), '{}') into made from accepted a;
    complete := cardinality(made) = cardinality(p_ids);
    ${insertRuns(
      s,
      `select distinct on (x.id) x.*, x.id = any(starting) as starts from (${asked}) x
      where complete or x.id in (select m from unnest(made) m)
      order by x.id, x.n`,
    )};
  end if;

  if cardinality(starting) < cardinality(p_ids) then
    perform pg_notify(channel, '') from unnest(p_notify) channel;
  end if;

  if cardinality(starting) > 0 or p_worker is not null and not complete then
    return query
      select null::int, ${enqueueCode.started}::smallint, r.id, r.priority, (extract(epoch from r.started_at) * 1000)::double precision,
             (extract(epoch from r.deadline_at - r.started_at) * 1000)::double precision
      from ${s}.run r
      where r.worker_id = p_worker and r.token = p_token and r.status = ${status.running}
      order by r.priority desc, r.run_at, r.id;
  end if;

  if not complete then
    return query
      select x.n::int,
             case when e.id is null then ${enqueueCode.unknownTask}
                  when e.task_id = x.task_id then ${enqueueCode.existing}
                  else ${enqueueCode.otherTask} end::smallint,
             x.id, null::smallint, null::double precision, null::double precision
      from (select u.id, p_tasks[coalesce(u.place, 1)] as task_id, u.n, row_number() over (partition by u.id order by u.n) as nth
            from unnest(p_ids, p_places) with ordinality u(id, place, n)) x
      left join ${s}.execution e on e.id = x.id
      where x.nth > 1 or not x.id = any(made);
  end if;
end`,
});
