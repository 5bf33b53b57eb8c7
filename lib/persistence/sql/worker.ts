import { statusCode as status } from '../../execution/execution-status.js';
import { offered } from './blocked.js';
import { requestedReason } from './cancel.js';
import { overdueAtRest } from './overdue.js';
import { sqlFunction } from './sql-function.js';

/** A newcomer inherits how long the database is known to have answered from whoever has been beating all the while. Without
 *  that, nobody would ever be old enough to recover the dead where workers are replaced faster than a lease (measured: executions
 *  claimable 16.8 s after the last beat instead of 3 s, with kills every 1.5 s and a lease of 2 s). After an outage every beat
 *  is older than half a lease, so nothing is inherited. */
export const registerWorker = sqlFunction({
  name: 'register_worker',
  parameters: ['p_host text', 'p_pid int', 'p_lease_ms int', 'p_version int'],
  returns: 'int',
  body: (s) => `
declare
  ts timestamptz := ${s}.clock();
  made int;
begin
  insert into ${s}.worker (beat_at, steady_since, started_at, lease_ms, version, host, pid)
  select ts, coalesce(min(w.steady_since), ts), ts, p_lease_ms, p_version, p_host, p_pid
  from ${s}.worker w
  where not w.dead and w.lease_ms <= p_lease_ms and w.beat_at > ts - w.lease_ms * interval '0.5 ms'
  returning id into made;
  return made;
end`,
});

/** What a row of a heartbeat says. */
export const beatRow = { alive: 0, orphan: 1, cancelled: 2 } as const;

/** Renews the lease and tells everything a worker has to know once a beat, in one round trip. An UPDATE that must hit a
 *  live row, never an upsert: no row returned means that this worker was reaped and must begin anew.
 *
 *  `alive` bears how long it is until something can be claimed and whether a worker's lease has lapsed, whether blocked
 *  executions are offered to it, and whether something waits although its time is over; also which schema this is by now, since
 *  newer code may have upgraded it under a worker that runs. Each `orphan` is a
 *  row that this worker owns without knowing it, as after a claim whose reply was lost; each `cancelled` one that it runs and shall
 *  stop, for a reason. A gap of more than half of
 *  anybody's lease between two beats starts `steady_since` anew (see recover): whoever beats more seldom cannot witness that
 *  the database answered that worker. So all beat as often as the shortest lease asks for, which is told as well. */
export const heartbeat = sqlFunction({
  name: 'heartbeat',
  parameters: ['p_worker int', 'p_tasks int[]', 'p_ids uuid[]', 'p_tokens uuid[]'],
  returns: `table(kind int, id uuid, token uuid, due_in_ms double precision, lapsed boolean, shortest_lease_ms int, offers boolean,
      overdue boolean, version int, min_compatible int, reason text)`,
  body: (s) => `
#variable_conflict use_column
declare
  ts timestamptz := ${s}.clock();
  shortest int;
begin
  select min(w.lease_ms) into shortest from ${s}.worker w where not w.dead;
  update ${s}.worker w
  set beat_at = ts,
      steady_since = case when ts - w.beat_at > shortest * interval '0.5 ms' then ts else w.steady_since end
  where w.id = p_worker and not w.dead;
  if not found then return; end if;

  return query
    select ${beatRow.alive}, null::uuid, null::uuid, extract(epoch from ${s}.next_due(p_tasks) - ts)::double precision * 1000,
           exists (select 1 from ${s}.worker w where w.id <> p_worker and (w.dead or w.beat_at < ts - w.lease_ms * interval '1 ms')),
           shortest,
           exists (select 1 from ${s}.run x where x.task_id = any(p_tasks) and ${offered('x')}),
           exists (select 1 from ${s}.run x where ${overdueAtRest('x')}), i.version, i.min_compatible, null
    from (select 1) me left join ${s}.installation i on true
    union all
    select case when x.known then ${beatRow.cancelled} else ${beatRow.orphan} end, x.id, x.token,
           null, null, null, null, null, null, null,
           case when x.cancel_requested then (select c.reason from ${s}.cancellation c where c.execution_id = x.id) end
    from (select r.id, r.token, r.cancel_requested,
                 exists (select 1 from unnest(p_ids, p_tokens) k(id, token) where k.id = r.id and k.token = r.token) as known
          from ${s}.run r where r.worker_id = p_worker and r.status = ${status.running}) x
    where not x.known or x.cancel_requested;
end`,
});

/** Gives back what a worker owns without running it, or ends it where it was to be cancelled. Nothing was started, so nothing is
 *  charged. */
export const releaseOrphans = sqlFunction({
  name: 'release_orphans',
  parameters: ['p_ids uuid[]', 'p_tokens uuid[]'],
  returns: 'setof uuid',
  body: (s) => `
declare
  ts timestamptz := ${s}.clock();
begin
  return query
    with held as materialized (
      select x.id, x.token, x.cancel_requested from unnest(p_ids, p_tokens) k(id, token)
      join ${s}.run x on x.id = k.id and x.token = k.token
      order by x.id for update of x skip locked),
    ended as (
      delete from ${s}.run r using held h where r.id = h.id and r.token = h.token and h.cancel_requested
      returning r.id, r.token, r.started_at, r.task_id, r.claims, r.failures, r.losses),
    recorded as (
      insert into ${s}.outcome (id, token, finished_at, started_at, task_id, claims, status, failures, losses, error)
      select e.id, e.token, ts, e.started_at, e.task_id, e.claims, ${status.cancelled}, e.failures, e.losses, ${requestedReason(s, 'e.id')}
      from ended e),
    returned as (
      update ${s}.run r set status = ${status.pending}, token = null, worker_id = null, started = false
      from held h where r.id = h.id and r.token = h.token and not h.cancel_requested
      returning r.id)
    select x.id from (select id from returned union all select id from ended) x;
end`,
});

/** Says that this worker is stopping: what it may still be running when it goes is not charged a loss. */
export const announceStop = sqlFunction({
  name: 'announce_stop',
  parameters: ['p_worker int'],
  returns: 'setof int',
  language: 'sql',
  body: (s) => `update ${s}.worker set stopping = true where id = p_worker returning id`,
});

/** Strikes a worker off that runs nothing any more. With rows left it stays until its lease lapses, and recovery ends it.
 *  Two statements: a claim in flight holds the worker's row, and only a snapshot taken after it sees what it claimed. Rows
 *  whose worker is gone would never be found again. */
export const deregisterWorker = sqlFunction({
  name: 'deregister_worker',
  parameters: ['p_worker int'],
  returns: 'setof int',
  body: (s) => `
begin
  perform 1 from ${s}.worker w where w.id = p_worker for update;
  return query
    delete from ${s}.worker w
    where w.id = p_worker and not exists (select 1 from ${s}.run r where r.worker_id = p_worker and r.status = ${status.running})
    returning w.id;
end`,
});
