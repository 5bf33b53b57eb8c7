import { statusCode as status } from '../../execution/execution-status.js';
import { sqlFunction } from './sql-function.js';

/** Before a blocked execution is offered again, by the offers it has had: 1 s, 10 s, 1 min, then every 10 min. In a rolling
 *  deploy the worker with the right code is often there already. */
export const offerDelay = (offers: string) =>
  `case coalesce(${offers}, 0) when 0 then interval '1 s' when 1 then interval '10 s' when 2 then interval '1 min'
     else interval '10 min' end`;

/** Blocked executions that this worker may try: not the one whose code they did not fit. */
export const offered = (alias: string) =>
  `${alias}.status = ${status.blocked} and ${alias}.offer_at <= ts and ${alias}.blocked_by <> p_worker`;

/** Offers blocked executions to a worker that boots, as if their time had come: it may bring the code that they fit. */
export const offerBlocked = sqlFunction({
  name: 'offer_blocked',
  parameters: ['p_tasks int[]'],
  returns: 'setof uuid',
  body: (s) => `
declare
  ts timestamptz := ${s}.clock();
begin
  return query
    update ${s}.run r set offer_at = ts
    from (select x.id from ${s}.run x
          where x.task_id = any(p_tasks) and x.status = ${status.blocked} and x.offer_at > ts
          order by x.id for update skip locked) b
    where r.id = b.id
    returning r.id;
end`,
});

/** Makes blocked executions claimable again by whoever comes, in their old place; p_ids or p_task and p_queue say which, at
 *  most p_limit of them. Wakes the workers of their queues. */
export const resume = sqlFunction({
  name: 'resume',
  parameters: ['p_ids uuid[]', 'p_queue text', 'p_task text', 'p_limit int'],
  returns: 'table(id uuid, queue_id int)',
  body: (s) => `
#variable_conflict use_column
begin
  return query
    update ${s}.run r set status = ${status.pending}, blocked_by = null, offer_at = null, offers = null
    from (select x.id, t.queue_id
          from ${s}.run x join ${s}.task t on t.id = x.task_id join ${s}.queue q on q.id = t.queue_id
          where x.status = ${status.blocked} and (p_ids is null or x.id = any(p_ids))
            and (p_task is null or t.name = p_task) and (p_queue is null or q.name = p_queue)
          order by x.id limit p_limit for update of x skip locked) b
    where r.id = b.id
    returning r.id, b.queue_id;
end`,
});
