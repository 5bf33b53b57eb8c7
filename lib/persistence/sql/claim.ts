import { statusCode as status } from '../../execution/execution-status.js';
import { memo } from './memo.js';
import { offered } from './blocked.js';
import { isOverdue } from './overdue.js';
import { ready, waitsAlone } from './ready.js';
import { plannedOnce, sqlFunction } from './sql-function.js';

/** What a returned row says that is no claimed execution. `at`: the time of the claim, before all else. `due`: how long until something else can
 *  be claimed. `refused`: this worker was reaped, or its code is
 *  older than newer code allows by now; the heartbeat says which.
 *  `overdue`: some were not claimed because their time is over; end_overdue ends them. `cursor`: where the claim came to in a queue
 *  (whose id is in task_id) that it filled all slots of. */
export const claimRow = { at: 0, due: 1, refused: 2, overdue: 3, cursor: 4 } as const;

const inLane = (alias: string) =>
  `${ready(alias)} and ${alias}.priority = lane_priority and ${alias}.status = lane_status and ${alias}.run_at <= ts
     and (${alias}.run_at, ${alias}.id) > (after_run_at, after_id)`;

/** Claims up to p_slots executions for each queue, best first: by priority, then what has begun before what has not, then
 *  by run_at and id. The token is the caller's own, new for each claim, so that a claim whose reply was lost can be found.
 *
 *  - The worker's row is locked first; recovery takes it FOR UPDATE, so a reaped worker claims nothing, nor does
 *    one whose code is too old for the schema. It is told by a row and not by an exception, which would roll back whatever else
 *    the call did.
 *  - run_ready starts with the task, and only registered tasks are named: others cost nothing, however many wait.
 *  - run_at ends each probe at the first future row, which needs equality on the columns before it: one lane at a time.
 *  - The heads of several tasks are merged without locks first, so that no more rows are locked than are taken.
 *  - p_offers: blocked executions that are offered to this worker come first. The heartbeat says whether there are any.
 *  - p_after: a cursor of the claim before, or null. What that one passed is not looked at again: it is claimed, and as long as an old
 *    snapshot is open, or until the next vacuum, all of it is still in the index. With 20,000 drained under an old snapshot a claim
 *    read them all again each time. What came to stand before the cursor meanwhile waits for a claim without one.
 *  - A row has few columns, since each costs a conversion here and a string there: what most have in common is not sent (`rest`).
 *  - What runs alone is claimed by itself, by a busy worker only after p_alone_patience_ms: an idle process had its chance
 *    then. It is claimed but not started (see start_alone). */
export const claim = sqlFunction({
  name: 'claim',
  parameters: [
    'p_worker int',
    'p_token uuid',
    'p_tasks int[]',
    'p_task_queues int[]',
    'p_queues int[]',
    'p_slots int[]',
    'p_alone_patience_ms int',
    'p_offers boolean',
    'p_after text[] default null',
  ],
  returns: 'table(kind int, id uuid, task_id int, place int, payload text, rest text, memo text)',
  planning: plannedOnce,
  body: (s) => `
declare
  ts timestamptz := ${s}.clock();
  tasks int[];
  lane_priority smallint;
  lane_status smallint;
  cursor_priority smallint;
  cursor_status smallint;
  after_run_at timestamptz;
  after_id uuid;
  free int;
  taken uuid[];
  ids uuid[] := '{}';
  unfilled int[] := '{}';
  due timestamptz;
  claimed_count int;
begin
  perform 1 from ${s}.worker w
  where w.id = p_worker and not w.dead and not exists (select 1 from ${s}.installation i where i.min_compatible > w.version) for key share;
  if not found then
    kind := ${claimRow.refused};
    return next;
    return;
  end if;

  -- one that runs alone is made pending, and is claimed as such, by itself
  if p_offers then
    update ${s}.run r set status = ${status.pending}, blocked_by = null, offer_at = null
    from (select x.id from ${s}.run x where x.task_id = any(p_tasks) and ${offered('x')} and x.alone for update skip locked) b
    where r.id = b.id;
  end if;

  ids := array(
    select a.id from unnest(p_tasks) t(id)
    cross join lateral (
      select x.id, x.run_at from ${s}.run x
      where x.task_id = t.id and ${waitsAlone('x')} and x.run_at <= ts - p_alone_patience_ms * interval '1 ms'
      order by x.run_at limit 1 for update skip locked) a
    order by a.run_at limit 1);

  if cardinality(ids) = 0 then
    for q in 1 .. cardinality(p_queues) loop
      free := p_slots[q];
      tasks := array(select t.id from unnest(p_tasks, p_task_queues) t(id, queue_id) where t.queue_id = p_queues[q]);
      lane_priority := 32767;
      lane_status := 32767;
      cursor_priority := split_part(p_after[q], ' ', 1)::smallint;
      cursor_status := split_part(p_after[q], ' ', 2)::smallint;
      if p_offers then
        taken := array(
          select x.id from ${s}.run x
          where x.task_id = any(tasks) and ${offered('x')} and not x.alone
          order by x.offer_at, x.id limit free for update skip locked);
        free := free - cardinality(taken);
        ids := ids || taken;
      end if;
      while free > 0 loop
        after_run_at := '-infinity';
        after_id := '00000000-0000-0000-0000-000000000000';
        if cursor_priority is null then
          select l.priority, l.status into lane_priority, lane_status from ${s}.next_lane(tasks, lane_priority, lane_status) l;
          exit when not found;
        else
          select l.priority, l.status into lane_priority, lane_status
          from ${s}.next_lane(tasks, lane_priority, lane_status, cursor_priority, cursor_status) l;
          if not found then
            lane_priority := cursor_priority;
            lane_status := cursor_status;
            after_run_at := timestamptz 'epoch' + split_part(p_after[q], ' ', 3)::bigint * interval '1 microsecond';
            after_id := split_part(p_after[q], ' ', 4)::uuid;
            cursor_priority := null;
          end if;
        end if;
        if cardinality(tasks) = 1 then
          taken := array(
            select x.id from ${s}.run x where x.task_id = tasks[1] and ${inLane('x')}
            order by x.run_at, x.id limit free for update skip locked);
        else
          taken := array(
            select x.id from (
              select h.task_id, count(*) as n from (
                select t.id as task_id from unnest(tasks) t(id)
                cross join lateral (
                  select r.run_at, r.id from ${s}.run r where r.task_id = t.id and ${inLane('r')}
                  order by r.run_at, r.id limit free) r
                order by r.run_at, r.id limit free) h
              group by h.task_id) share
            cross join lateral (
              select r.id, r.run_at from ${s}.run r where r.task_id = share.task_id and ${inLane('r')}
              order by r.run_at, r.id limit share.n for update skip locked) x
            order by x.run_at, x.id);
        end if;
        free := free - cardinality(taken);
        ids := ids || taken;
      end loop;
      if free > 0 then
        unfilled := unfilled || tasks;
      elsif cardinality(taken) > 0 then
        kind := ${claimRow.cursor};
        task_id := p_queues[q];
        select concat_ws(' ', lane_priority, lane_status, (extract(epoch from x.run_at) * 1000000)::bigint, x.id) into payload
        from ${s}.run x where x.id = taken[cardinality(taken)];
        return next;
        payload := null;
        task_id := null;
      end if;
    end loop;
  end if;

  if cardinality(ids) > 0 then
    kind := ${claimRow.at};
    payload := extract(epoch from ts) * 1000;
    return next;
    payload := null;
    return query
      with claimed as (
        update ${s}.run r
        set status = ${status.running}, token = p_token, worker_id = p_worker, claims = r.claims + 1,
            started = not r.alone, started_at = coalesce(r.started_at, ts), blocked_by = null, offer_at = null,
            offers = case r.status when ${status.blocked} then r.offers end
        where r.id = any(ids) and (${isOverdue('r')}) is not true
        returning r.id, r.task_id, r.failures, r.losses, r.claims, r.alone, r.priority, r.deadline_at, r.expires_at)
      select null::int, c.id, c.task_id, o.place::int, e.payload::text,
             case when (c.claims, c.failures, c.losses, c.priority, c.alone) <> (1, 0, 0, 0, false)
                    or c.deadline_at is not null or c.expires_at is not null or e.headers is not null
                  then concat_ws(' ', c.claims, c.failures, c.losses, c.priority, c.alone::int,
                         coalesce((extract(epoch from c.deadline_at - ts) * 1000)::text, 'Infinity'),
                         coalesce((extract(epoch from c.expires_at - ts) * 1000)::text, 'Infinity'), e.headers) end,
             case when c.claims > 1 then ${memo(s, 'c.id')} end
      from claimed c
      join ${s}.execution e on e.id = c.id
      join unnest(ids) with ordinality o(id, place) on o.id = c.id;
    get diagnostics claimed_count = row_count;
    if claimed_count < cardinality(ids) then
      kind := ${claimRow.overdue};
      return next;
    end if;
  end if;

  -- after the update: what was just claimed is not due any more
  if cardinality(unfilled) > 0 then due := ${s}.next_due(unfilled); end if;
  if due is not null then
    kind := ${claimRow.due};
    payload := extract(epoch from due - ts) * 1000;
    return next;
  end if;
end`,
});

/** Marks an execution that runs alone as started, just before its handler is called: from here on the loss of its process
 *  is charged to it. */
export const startAlone = sqlFunction({
  name: 'start_alone',
  parameters: ['p_id uuid', 'p_token uuid'],
  returns: 'setof uuid',
  language: 'sql',
  body: (s) =>
    `update ${s}.run set started = true where id = p_id and token = p_token and status = ${status.running} returning id`,
});
