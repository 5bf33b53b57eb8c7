import { statusCode as status } from '../../execution/execution-status.js';
import { requestedReason } from './cancel.js';
import { sqlFunction } from './sql-function.js';

/** Losses after which an execution runs alone, unless its task allows fewer. */
export const lossesBeforeAlone = 2;

/** Makes the executions of workers whose lease has lapsed claimable again, at most p_limit of each; returns one row a worker
 *  with what became of them. `more`: call again.
 *
 *  - SKIP LOCKED throughout: it waits for nobody, and one bad row holds up nothing.
 *  - The worker's row is locked FOR UPDATE, which excludes claims in flight (they hold it FOR KEY SHARE).
 *  - Nobody is reaped within one of its leases after the server started, nor by a worker that has not itself been beating
 *    without a gap for as long: after an outage everybody's beat is old.
 *  - What was started is charged a loss, unless the worker had said that it was stopping; the attempt is given back. After
 *    two losses it runs alone, and only a loss while alone can end it, so an innocent neighbour of a task that kills its
 *    process is never failed.
 *  - What was to be cancelled is: nobody takes it up again. */
export const recover = sqlFunction({
  name: 'recover',
  parameters: ['p_worker int', 'p_limit int'],
  returns: 'table(worker_id int, recovered int, ended int, more boolean)',
  body: (s) => `
#variable_conflict use_column
declare
  ts timestamptz := ${s}.clock();
  me record;
  victim record;
begin
  select w.steady_since into me from ${s}.worker w where w.id = p_worker and not w.dead;
  if not found then return; end if;

  for victim in
    select w.id, w.stopping, w.dead from ${s}.worker w
    where w.id <> p_worker
      and (w.dead
        or (w.beat_at < ts - w.lease_ms * interval '1 ms'
          and me.steady_since <= ts - w.lease_ms * interval '1 ms'
          and pg_postmaster_start_time() <= clock_timestamp() - w.lease_ms * interval '1 ms'))
    order by w.id for update skip locked
  loop
    if not victim.dead then update ${s}.worker w set dead = true where w.id = victim.id; end if;
    worker_id := victim.id;
    with lost as materialized (
      select r.id, r.token, r.task_id, r.claims, r.failures, r.losses, r.alone, r.started, r.started_at, r.cancel_requested, t.max_losses
      from ${s}.run r join ${s}.task t on t.id = r.task_id
      where r.worker_id = victim.id and r.status = ${status.running}
      order by r.id limit p_limit for update of r skip locked),
    charged as materialized (
      select l.*, l.losses + x.charge::int as losses_now, x.charge,
             l.cancel_requested or l.alone and x.charge and l.losses + 1 >= coalesce(l.max_losses, 2147483647) as ends
      from lost l, lateral (select l.started and not victim.stopping as charge) x),
    noted as (
      insert into ${s}.failure (execution_id, claim, attempt, failed_at, error)
      select c.id, c.claims, c.failures + 1, ts, json_build_object('name', 'WorkerLostError', 'code', 'WORKER_LOST',
               'message', 'The process that ran this attempt vanished (worker ' || victim.id || ').')
      from charged c where c.charge on conflict do nothing),
    ending as (
      delete from ${s}.run r using charged c
      where r.id = c.id and c.ends
      returning c.id, c.token, c.task_id, c.started_at, c.claims, c.failures, c.losses_now, c.cancel_requested),
    outcomes as (
      insert into ${s}.outcome (id, token, finished_at, started_at, task_id, claims, status, failures, losses, error)
      select e.id, e.token, ts, e.started_at, e.task_id, e.claims,
             case when e.cancel_requested then ${status.cancelled} else ${status.failed} end, e.failures, e.losses_now,
             case when e.cancel_requested then ${requestedReason(s, 'e.id')}
               else json_build_object('name', 'WorkerLostError', 'code', 'WORKER_LOST', 'message',
                 'Its process vanished ' || e.losses_now || ' times while it ran, the last time with nothing else in it.') end
      from ending e returning id),
    returned as (
      update ${s}.run r
      set status = ${status.pending}, token = null, worker_id = null, started = false, losses = c.losses_now,
          expires_at = case when not c.started then r.expires_at end,
          alone = c.alone or c.losses_now >= least(${lossesBeforeAlone}, c.max_losses - 1) and c.losses_now > 0
      from charged c
      where r.id = c.id and not c.ends
      returning r.id)
    select (select count(*) from returned), (select count(*) from outcomes) into recovered, ended;
    more := recovered + ended >= p_limit;
    if recovered + ended = 0 and not exists (select 1 from ${s}.run r where r.worker_id = victim.id and r.status = ${status.running}) then
      delete from ${s}.worker w where w.id = victim.id;
    end if;
    return next;
  end loop;
end`,
});
