import { statusCode as status } from '../../execution/execution-status.js';
import { outcomeCode as code, reportCode } from '../../execution/outcome.js';
import { recordKind, recordStatus } from '../../execution/step-record.js';
import { channelOfQueue } from '../channel.js';
import { offerDelay } from './blocked.js';
import { requestedReason } from './cancel.js';
import { plannedOnce, sqlFunction } from './sql-function.js';

const LOCK_PATIENCE_MS = 5;

/** Ends many attempts at once; returns only those it did not end, with the reason.
 *
 *  - A row changes only while this (id, token) owns it: each statement looks at the row's own latest version. Checked in another statement, a
 *    zombie writes through while a re-claim is in flight. Where rows are locked first, what is changed is what was locked, by its place
 *    (ctid), and not whatever has the id by then; a batch may hold a stale and a current entry of one execution.
 *  - The token says that it runs. Asking for the status as well let Postgres plan on run_worker, whose statistics are of a moment
 *    at which nothing ran: each lookup then read every running row, and a settle took 100 instead of 14 µs an execution.
 *  - Hardly ever does somebody else have such a row locked. So what completed is deleted without locking it first (-57 B of WAL, and
 *    a tenth of the CPU of a drain), and that waits for a lock for LOCK_PATIENCE_MS at most, which is less than a deadlock takes to be one.
 *    Should it not get one, or with p_careful, all goes the other way: rows that are locked are skipped and reported busy, so one foreign
 *    lock does not hold up the rest.
 *  - What is released goes on elsewhere at once: the listeners of its queue are told. Only what is given back unbegun may still expire.
 *  - Where a cancel was requested meanwhile, all but a result ends it as cancelled.
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
    'p_careful boolean default false',
  ],
  returns: 'table(ordinal int, report int)',
  planning: plannedOnce,
  body: (s) => `
declare
  ts timestamptz := ${s}.clock();
  done bigint[];
  returned bigint[];
  lock_timeout text;
begin
  if not p_careful then
    begin
      lock_timeout := current_setting('lock_timeout');
      perform set_config('lock_timeout', '${LOCK_PATIENCE_MS}', true);
      with ended as (
        delete from ${s}.run r using unnest(p_ids, p_tokens, p_outcomes, p_values) with ordinality a(id, token, outcome, value, n)
        where r.id = a.id and r.token = a.token and a.outcome = ${code.completed}
        returning r.id, r.token, r.started_at, r.task_id, r.claims, r.failures, r.losses, a.value, a.n),
      recorded as (${recordCompleted(s)})
      select array_agg(e.n) into done from ended e;
      perform set_config('lock_timeout', lock_timeout, true);
    exception when lock_not_available then
      p_careful := true;
      done := null;
    end;
  end if;

  if p_careful then
    with held as materialized (
      select r.ctid, a.value, a.n
      from unnest(p_ids, p_tokens, p_outcomes, p_values) with ordinality a(id, token, outcome, value, n)
      join ${s}.run r on r.id = a.id and r.token = a.token
      where a.outcome = ${code.completed} for update of r skip locked),
    ended as (
      delete from ${s}.run r using held h where r.ctid = h.ctid
      returning r.id, r.token, r.started_at, r.task_id, r.claims, r.failures, r.losses, h.value, h.n),
    recorded as (${recordCompleted(s)})
    select array_agg(e.n) into done from ended e;
  end if;

  -- a statement of its own, because most batches need only the first
  if coalesce(cardinality(done), 0) < cardinality(p_ids) then
    with held as materialized (
      select r.ctid, r.id, r.token, r.claims, r.failures, r.cancel_requested, a.outcome, a.value, a.delay_ms, a.forget, a.n
      from unnest(p_ids, p_tokens, p_outcomes, p_values, p_delays_ms, p_forget) with ordinality
           a(id, token, outcome, value, delay_ms, forget, n)
      join ${s}.run r on r.id = a.id and r.token = a.token
      where a.outcome <> ${code.completed} for update of r skip locked),
    ended as (
      delete from ${s}.run r using held h where r.ctid = h.ctid and (h.outcome = ${code.failed} or h.cancel_requested)
      returning r.id, r.token, r.started_at, r.task_id, r.claims, r.failures, r.losses, r.cancel_requested, h.value, h.n),
    recorded as (
      insert into ${s}.outcome (id, token, finished_at, started_at, task_id, claims, status, failures, losses, error)
      select e.id, e.token, ts, e.started_at, e.task_id, e.claims,
             case when e.cancel_requested then ${status.cancelled} else ${status.failed} end,
             e.failures + case when e.cancel_requested then 0 else 1 end, e.losses,
             case when e.cancel_requested then ${requestedReason(s, 'e.id')} else e.value::json end
      from ended e),
    moved as (
      update ${s}.run r
      set status = case h.outcome when ${code.blocked} then ${status.blocked} else ${status.pending} end,
          token = null, worker_id = null, started = false,
          blocked_by = case h.outcome when ${code.blocked} then r.worker_id end,
          offers = case h.outcome when ${code.blocked} then coalesce(r.offers, 0) + 1 end,
          offer_at = case h.outcome when ${code.blocked} then ts + ${offerDelay('r.offers')} end,
          expires_at = case h.outcome when ${code.unbegun} then r.expires_at end,
          failures = r.failures + case h.outcome when ${code.retry} then 1 else 0 end,
          run_at = case h.outcome when ${code.retry} then ts + h.delay_ms * interval '1 ms' else r.run_at end
      from held h where r.ctid = h.ctid and h.outcome in (${code.retry}, ${code.released}, ${code.blocked}, ${code.unbegun}) and not h.cancel_requested
      returning h.n),
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
    -- not of what was held: a row that somebody changed just before it was locked is another version by now, and stays as it is
    select array_agg(x.n) into returned from (select n from ended union all select n from moved) x;
    done := done || returned;
  end if;

  if coalesce(cardinality(done), 0) < cardinality(p_ids) then
    return query
      select a.n::int,
             case when exists (select 1 from ${s}.outcome o where o.id = a.id and o.token = a.token) then ${reportCode.duplicate}
                  when exists (select 1 from ${s}.run r where r.id = a.id and r.token = a.token) then ${reportCode.busy}
                  else ${reportCode.lost} end
      from unnest(p_ids, p_tokens) with ordinality a(id, token, n)
      where not a.n = any(coalesce(done, '{}'));
  end if;

  if p_outcomes && array[${code.released}, ${code.unbegun}]::smallint[] then
    perform pg_notify(channel, '') from (
      select distinct ${channelOfQueue(s, 't.queue_id')} as channel
      from unnest(p_ids, p_outcomes) x(id, outcome) join ${s}.run r on r.id = x.id join ${s}.task t on t.id = r.task_id
      where x.outcome in (${code.released}, ${code.unbegun}) and r.status = ${status.pending}) released;
  end if;
end`,
});

function recordCompleted(s: string): string {
  return `
        insert into ${s}.outcome (id, token, finished_at, started_at, task_id, claims, status, failures, losses, result)
        select e.id, e.token, ts, e.started_at, e.task_id, e.claims, ${status.completed}, e.failures, e.losses, e.value::json from ended e`;
}
