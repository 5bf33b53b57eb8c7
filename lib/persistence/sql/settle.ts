import { statusCode as status } from '../../execution/execution-status.js';
import { outcomeCode as code, reportCode } from '../../execution/outcome.js';
import { recordKind, recordStatus } from '../../execution/step-record.js';
import { channelOfQueue } from '../channel.js';
import { offerDelay } from './blocked.js';
import { sqlFunction } from './sql-function.js';

/** Ends many attempts at once; returns only those it did not end, with the reason.
 *
 *  - A row changes only while this (id, token) owns it. The check is made by taking the row's lock: checked without it, a
 *    zombie writes through while a re-claim is in flight. Every part joins on what was locked and not on the id, since a
 *    batch may hold a stale and a current entry of one execution.
 *  - Rows that somebody else has locked are skipped and reported busy, so this statement waits for nobody: it cannot
 *    deadlock, and one foreign lock does not hold up the rest.
 *  - What is released goes on elsewhere at once: the listeners of its queue are told.
 *  - A failed attempt forgets its step errors (the next one runs those bodies again) and the steps that were between two
 *    tries; what was recorded after a forgotten error becomes optional. p_forget says whether there can be any. */
export const settle = sqlFunction({
  name: 'settle',
  parameters: [
    'p_ids uuid[]',
    'p_tokens uuid[]',
    'p_outcomes smallint[]',
    'p_values text[]',
    'p_delays_ms bigint[]',
    'p_forget boolean[]',
  ],
  returns: 'table(ordinal int, report int)',
  body: (s) => `
declare
  ts timestamptz := ${s}.clock();
begin
  return query
  with asked as materialized (
    select * from unnest(p_ids, p_tokens, p_outcomes, p_values, p_delays_ms, p_forget) with ordinality
      x(id, token, outcome, value, delay_ms, forget, n)),
  held as materialized (
    select r.id, r.token, r.task_id, r.started_at, r.claims, r.failures, r.losses, a.outcome, a.value, a.delay_ms, a.forget, a.n
    from asked a join ${s}.run r on r.id = a.id and r.token = a.token and r.status = ${status.running}
    order by r.id for update of r skip locked),
  ended as (
    delete from ${s}.run r using held h
    where r.id = h.id and r.token = h.token and h.outcome in (${code.completed}, ${code.failed})
    returning h.id, h.token, h.task_id, h.started_at, h.claims, h.failures, h.losses, h.outcome, h.value),
  recorded as (
    insert into ${s}.outcome (id, token, finished_at, started_at, task_id, claims, status, failures, losses, result, error)
    select e.id, e.token, ts, e.started_at, e.task_id, e.claims,
           case e.outcome when ${code.completed} then ${status.completed} else ${status.failed} end,
           e.failures + case e.outcome when ${code.completed} then 0 else 1 end, e.losses,
           case e.outcome when ${code.completed} then e.value::json end,
           case e.outcome when ${code.failed} then e.value::json end
    from ended e),
  returned as (
    update ${s}.run r
    set status = case h.outcome when ${code.blocked} then ${status.blocked} else ${status.pending} end,
        token = null, worker_id = null, started = false,
        blocked_by = case h.outcome when ${code.blocked} then r.worker_id end,
        offers = case h.outcome when ${code.blocked} then coalesce(r.offers, 0) + 1 end,
        offer_at = case h.outcome when ${code.blocked} then ts + ${offerDelay('r.offers')} end,
        failures = r.failures + case h.outcome when ${code.retry} then 1 else 0 end,
        run_at = case h.outcome when ${code.retry} then ts + h.delay_ms * interval '1 ms' else r.run_at end
    from held h
    where r.id = h.id and r.token = h.token and h.outcome in (${code.retry}, ${code.released}, ${code.blocked})),
  failed as (
    insert into ${s}.failure (execution_id, claim, attempt, failed_at, error)
    select h.id, h.claims, h.failures + 1, ts, h.value::json
    from held h where h.outcome in (${code.failed}, ${code.retry}, ${code.blocked})
    on conflict do nothing),
  forgotten as (
    delete from ${s}.step f using held h
    where h.forget and h.outcome in (${code.retry}, ${code.failed}) and f.execution_id = h.id and f.kind = ${recordKind.step} and f.status <> ${recordStatus.completed}
    returning f.execution_id, f.seq),
  loosened as (
    update ${s}.step o set optional = true
    from (select f.execution_id, min(f.seq) as seq from forgotten f group by f.execution_id) f
    where o.execution_id = f.execution_id and o.seq > f.seq
      and not (o.kind = ${recordKind.step} and o.status <> ${recordStatus.completed}))
  select a.n::int,
         case when exists (select 1 from ${s}.outcome o where o.id = a.id and o.token = a.token) then ${reportCode.duplicate}
              when exists (select 1 from ${s}.run r where r.id = a.id and r.token = a.token) then ${reportCode.busy}
              else ${reportCode.lost} end
  from asked a
  where not exists (select 1 from held h where h.n = a.n);

  if ${code.released} = any(p_outcomes) then
    perform pg_notify(channel, '') from (
      select distinct ${channelOfQueue(s, 't.queue_id')} as channel
      from unnest(p_ids, p_outcomes) x(id, outcome) join ${s}.run r on r.id = x.id join ${s}.task t on t.id = r.task_id
      where x.outcome = ${code.released} and r.status = ${status.pending}) released;
  end if;
end`,
});
