import { statusCode as status } from '../../execution/execution-status.js';
import { sqlFunction } from './sql-function.js';

/** How long an id and how it ended stay whatever the retention: an invoke sent again in this time must not run again. */
export const REGISTER_MS = 600_000;

/** How long a result stays at least, so that whoever waits for it gets it: they ask every 250 ms. */
const GRACE_MS = 5_000;

/** Pruning of one schema at a time by one worker; the second number is the schema's own. */
const PRUNE_LOCK = 730_582_912;

/** What each task keeps, a row for each way to end. Somebody wanted what was cancelled to end so: it goes like what completed. */
const rules = (s: string) => `
      select t.id as task_id, x.status::smallint as status, x.keep_ms
      from ${s}.task t
      cross join lateral (values (${status.completed}, t.keep_completed_ms), (${status.cancelled}, t.keep_completed_ms), (${status.failed}, t.keep_failed_ms))
        x(status, keep_ms)
      order by 1, 2`;

/** The first of what ended before a time that depends on the task: each part of outcome_kept from its beginning, so rows that stay
 *  are never read, and the index alone gives their order. */
const ended = (s: string, before: string, after: string) => `
      select o.id from ${s}.outcome o
      where o.task_id = r.task_id and o.status = r.status and not o.pruned and o.finished_at <= ${before} ${after}
      order by o.finished_at limit p_limit`;

/** Removes what is finished and not kept any longer, by its task's settings of now: at most p_limit executions, and p_rows rows of what
 *  they have recorded. `more`: call again. `brief`: some task keeps less than an id has to stay, so look again soon.
 *
 *  - Only what has an outcome is found, and nothing but this statement writes to what has: it waits for nobody, and no claim or settle
 *    waits for it. It touches no row of `run`.
 *  - The lock is tried, not awaited: one worker prunes at a time, the others have nothing to do.
 *  - What is kept for less than ten minutes is stripped first: payload, headers, result, error and steps go, id and status stay until then.
 *    This comes before what is old, which may be a long backlog.
 *  - p_task, p_status, p_since: where the last call of a row of calls came to (`reached_…`). Without them each call would pass once more all
 *    that those before it removed, for as long as some old snapshot keeps it in the index.
 *  - Steps and failures before the execution: if there are more than p_rows it is found again, and the rest goes with the next call. Of no
 *    execution a part of the steps is left that looks like all of them, for a retry would run again what is missing: the last one that was
 *    begun with is done to its end, and all that were begun with say so. They are gone through in order, so the others are at their end. */
export const prune = sqlFunction({
  name: 'prune',
  parameters: [
    'p_limit int',
    'p_rows int',
    'p_task int',
    'p_status smallint',
    'p_since timestamptz',
  ],
  returns: `table(removed int, stripped int, more boolean, brief boolean, reached_task int, reached_status smallint, reached_at timestamptz)`,
  body: (s) => `
#variable_conflict use_column
declare
  ts timestamptz := ${s}.clock();
  register_end timestamptz := ts - ${REGISTER_MS} * interval '1 ms';
  to_strip uuid[];
  to_remove uuid[];
  begun uuid[];
  records int;
  failures int;
begin
  removed := 0;
  stripped := 0;
  more := false;
  brief := exists (select 1 from ${s}.task t where least(t.keep_completed_ms, t.keep_failed_ms) < ${REGISTER_MS});
  if not pg_try_advisory_xact_lock(${PRUNE_LOCK}, '${s}.outcome'::regclass::oid::int) then
    return next;
    return;
  end if;

  to_strip := array(
    select d.id from (${rules(s)}) r
    cross join lateral (${ended(s, `ts - greatest(r.keep_ms, ${GRACE_MS}) * interval '1 ms'`, 'and o.finished_at > register_end')}) d
    where r.keep_ms < ${REGISTER_MS} limit p_limit);
  to_remove := array(
    select d.id from (
      select q.*, case when (q.task_id, q.status) = (p_task, p_status) then p_since else '-infinity' end as since
      from (${rules(s)}) q where p_task is null or (q.task_id, q.status) >= (p_task, p_status)) r
    cross join lateral (${ended(s, `ts - greatest(r.keep_ms, ${REGISTER_MS}) * interval '1 ms'`, 'and o.finished_at >= r.since')}) d
    where r.keep_ms is not null limit p_limit - cardinality(to_strip));
  select o.task_id, o.status, o.finished_at into reached_task, reached_status, reached_at
  from ${s}.outcome o where o.id = to_remove[cardinality(to_remove)];
  to_remove := to_remove || array(
    select o.id from ${s}.outcome o where o.pruned and o.finished_at <= register_end
    order by o.finished_at limit p_limit - cardinality(to_strip) - cardinality(to_remove));
  if cardinality(to_strip) + cardinality(to_remove) = 0 then
    return next;
    return;
  end if;

  with gone as (
    delete from ${s}.step x where x.ctid = any(array(
      select y.ctid from unnest(to_strip || to_remove) d(id)
      cross join lateral (select z.ctid from ${s}.step z where z.execution_id = d.id offset 0) y limit p_rows))
    returning x.execution_id)
  select count(*), array_agg(distinct g.execution_id) into records, begun from gone g;
  if records >= p_rows then
    delete from ${s}.step x where x.execution_id = any(begun);
    delete from ${s}.failure x where x.execution_id = any(begun);
    delete from ${s}.cancellation x where x.execution_id = any(begun);
    update ${s}.execution x set payload = 'null', headers = null where x.id = any(begun);
    update ${s}.outcome x set pruned = true, result = null, error = null where x.id = any(begun);
  end if;
  delete from ${s}.failure x where x.ctid = any(array(
    select y.ctid from ${s}.failure y where y.execution_id = any(to_strip || to_remove) limit p_rows));
  get diagnostics failures = row_count;
  more := greatest(records, failures) >= p_rows;
  if more or reached_task is null then
    reached_task := p_task;
    reached_status := p_status;
    reached_at := p_since;
  end if;

  if not more then
    delete from ${s}.cancellation x where x.execution_id = any(to_strip || to_remove);
    update ${s}.execution x set payload = 'null', headers = null where x.id = any(to_strip);
    update ${s}.outcome x set pruned = true, result = null, error = null where x.id = any(to_strip);
    get diagnostics stripped = row_count;
    delete from ${s}.execution x where x.id = any(to_remove);
    delete from ${s}.outcome x where x.id = any(to_remove);
    get diagnostics removed = row_count;
    -- kept as long as either is there: that the old one was retried, and of what the new one is a retry
    delete from ${s}.rerun x
    where (x.id = any(to_remove) or x.source_id = any(to_remove))
      and not exists (select 1 from ${s}.execution e where e.id in (x.id, x.source_id));
    more := stripped + removed >= p_limit;
  end if;
  return next;
end`,
});
