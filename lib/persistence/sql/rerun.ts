import { statusCode as status } from '../../execution/execution-status.js';
import { recordKind, recordStatus } from '../../execution/step-record.js';
import { sqlFunction } from './sql-function.js';

/** What became of an item. `taken`: its id belongs to something else. `again`: somebody was at it as well. */
export const rerunCode = {
  created: 0,
  existing: 1,
  taken: 2,
  unknown: 3,
  live: 4,
  expired: 5,
  completed: 6,
  noStep: 7,
  rerunBefore: 8,
  again: 9,
} as const;

/** Names that are told of a record that has not the one that was asked for. */
const TOLD_NAMES = 100;

/** Where a step is that was never seen: behind all that was. */
const LAST = 2_147_483_647;

/** Makes of ended executions new ones that have their memo: with p_from_step what the handler had seen before that step, without it all.
 *  Idempotent by id.
 *
 *  - One statement copies, so it reads one snapshot: no memo of which prune, which removes steps first, has taken a part.
 *  - A retry forgets step errors and steps between two tries, and makes optional what was recorded after them, as settle does for the attempt
 *    after a failed one. A fork keeps the errors before its step: they are how the handler came there.
 *  - A sleep that was not over has as long to go as when the execution ended. An instant (which bears a fingerprint) stays where it is. A
 *    fork begins its open waits anew: nobody has seen them, so they do not lie before anything.
 *  - claims begins at 1: a claim brings the memo along only where there was a claim before it.
 *  - p_once: only what nobody has made a new one of. The unique index decides between two that do so at once.
 *  - Nothing is written to what has ended. rerun outlives the new execution, or that would be made once more when it is pruned before the
 *    old one. */
export const rerun = sqlFunction({
  name: 'rerun',
  parameters: ['p_ids uuid[]', 'p_sources uuid[]', 'p_from_step text', 'p_once boolean'],
  returns:
    'table(ordinal int, code int, status smallint, task text, queue_id int, recorded text[])',
  body: (s) => `
#variable_conflict use_column
declare
  ts timestamptz := ${s}.clock();
  registered int;
  made uuid[];
begin
  with chosen as materialized (
    select a.id, o.id as source_id, o.finished_at, coalesce(x.seq, ${LAST}) as upto
    from unnest(p_ids, p_sources) a(id, source_id)
    join ${s}.outcome o on o.id = a.source_id
    left join ${s}.step x on x.execution_id = o.id and x.name = p_from_step and x.kind <> ${recordKind.payload}
    where not o.pruned
      and case when p_from_step is null then o.status in (${status.failed}, ${status.cancelled}) else x.name is not null end
      and not exists (select 1 from ${s}.execution e where e.id = a.id)
      and not (p_once and exists (select 1 from ${s}.rerun c where c.source_id = o.id))),
  named as (
    insert into ${s}.rerun (id, made_at, source_id, from_step, once)
    select c.id, ts, c.source_id, p_from_step, p_once from chosen c order by c.source_id
    on conflict do nothing
    returning id),
  accepted as (
    insert into ${s}.execution (id, task_id, priority, created_at, payload, headers)
    select c.id, e.task_id, e.priority, ts, e.payload, e.headers
    from named n join chosen c on c.id = n.id join ${s}.execution e on e.id = c.source_id order by c.id
    on conflict (id) do nothing
    returning id, task_id, priority),
  begun as (
    insert into ${s}.run (id, run_at, task_id, priority, deadline_at, expires_at, status, claims)
    select a.id, ts, a.task_id, a.priority, ts + t.deadline_ms * interval '1 ms', ts + t.expire_after_ms * interval '1 ms', ${status.pending}, 1
    from accepted a join ${s}.task t on t.id = a.task_id order by a.id),
  remembered as (
    insert into ${s}.step (execution_id, token, recorded_at, due_at, fingerprint, seq, kind, status, tries, optional, alone, name, value)
    select c.id, x.token, x.recorded_at,
           case when x.status = ${recordStatus.open} and x.fingerprint is null then x.due_at + (ts - c.finished_at) else x.due_at end,
           x.fingerprint, x.seq, x.kind, x.status, x.tries, x.optional or coalesce(x.seq > forgotten.seq, false), x.alone, x.name, x.value
    from accepted a
    join chosen c on c.id = a.id
    join ${s}.step x on x.execution_id = c.source_id
    left join lateral (
      select min(y.seq) as seq from ${s}.step y
      where y.execution_id = c.source_id and y.kind = ${recordKind.step} and y.status <> ${recordStatus.completed}) forgotten
      on p_from_step is null
    where x.kind = ${recordKind.payload}
       or case when p_from_step is null then x.kind <> ${recordKind.step} or x.status = ${recordStatus.completed} else x.seq < c.upto end)
  select (select count(*) from named), array(select a.id from accepted a) into registered, made;
  if registered > cardinality(made) then
    raise exception 'an id was taken meanwhile' using errcode = 'serialization_failure'; -- sent again, it finds what has it
  end if;

  return query
    select a.n::int, verdict.code, coalesce(r.status, o.status), t.name, t.queue_id,
           case verdict.code when ${rerunCode.noStep} then array(
             select x.name from ${s}.step x where x.execution_id = a.source_id and x.kind <> ${recordKind.payload}
             order by x.seq nulls last, x.name limit ${TOLD_NAMES}) end
    from unnest(p_ids, p_sources) with ordinality a(id, source_id, n)
    left join ${s}.execution e on e.id = a.id
    left join ${s}.rerun c on c.id = e.id and c.made_at = e.created_at
    left join ${s}.execution source on source.id = a.source_id
    left join ${s}.task t on t.id = coalesce(e.task_id, source.task_id)
    left join ${s}.outcome o on o.id = a.source_id
    left join ${s}.run r on r.id = a.source_id
    cross join lateral (
      select case
        when a.id = any(made) then ${rerunCode.created}
        when c.source_id = a.source_id and c.from_step is not distinct from p_from_step then ${rerunCode.existing}
        when e.id is not null then ${rerunCode.taken}
        when r.id is not null then ${rerunCode.live}
        when o.id is null then ${rerunCode.unknown}
        when o.pruned then ${rerunCode.expired}
        when p_from_step is null and o.status = ${status.completed} then ${rerunCode.completed}
        when p_from_step is not null and not exists (
          select 1 from ${s}.step x where x.execution_id = a.source_id and x.name = p_from_step and x.kind <> ${recordKind.payload})
          then ${rerunCode.noStep}
        when p_once then ${rerunCode.rerunBefore}
        else ${rerunCode.again} end as code) verdict
    order by a.n;
end`,
});

/** What has ended without a result and of which nobody has made a new one, by task, status and the time of its end: at most p_limit, with
 *  how much each has recorded. p_task_id, p_status, p_after: the place of the last one before. p_until: the end of the first call's
 *  time, or what fails again would be found again. Index: outcome_kept. */
export const retryable = sqlFunction({
  name: 'retryable',
  parameters: [
    'p_statuses smallint[]',
    'p_queue text',
    'p_task text',
    'p_since timestamptz',
    'p_until timestamptz',
    'p_task_id int',
    'p_status smallint',
    'p_after timestamptz',
    'p_limit int',
  ],
  returns:
    'table(id uuid, task_id int, status smallint, finished_at timestamptz, records int, until timestamptz)',
  body: (s) => `
#variable_conflict use_column
declare
  ts timestamptz := ${s}.clock();
begin
  return query
    select f.id, k.task_id, k.status, f.finished_at, (select count(*) from ${s}.step x where x.execution_id = f.id)::int,
           coalesce(p_until, ts)
    from (
      select t.id as task_id, z.status, case when (t.id, z.status) = (p_task_id, p_status) then p_after else '-infinity' end as after
      from ${s}.task t join ${s}.queue q on q.id = t.queue_id cross join unnest(p_statuses) z(status)
      where (p_task is null or t.name = p_task) and (p_queue is null or q.name = p_queue)
        and (p_task_id is null or (t.id, z.status) >= (p_task_id, p_status))
      order by 1, 2) k
    cross join lateral (
      select o.id, o.finished_at from ${s}.outcome o
      where o.task_id = k.task_id and o.status = k.status and not o.pruned
        and o.finished_at >= greatest(p_since, k.after) and o.finished_at <= coalesce(p_until, ts)
        and not exists (select 1 from ${s}.rerun c where c.source_id = o.id)
      order by o.finished_at, o.id limit p_limit) f
    limit p_limit;
end`,
});
