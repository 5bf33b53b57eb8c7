import { recordStatus } from '../../execution/step-record.js';

/** The records of an execution as JSON text, in the order its handler saw them; what it has not seen yet comes last, by the
 *  time it was decided. They travel with the claim, so that a replayed step costs no query. */
export const memo = (s: string, id: string) => `(
  select json_agg(json_build_array(m.name, m.kind, m.status, m.seq, m.optional, m.fingerprint::text, m.alone, m.tries,
                                   case when m.status = ${recordStatus.open} then extract(epoch from m.due_at - ts) * 1000 end, m.value)
                  order by m.seq nulls last, m.due_at, m.name)
  from ${s}.step m where m.execution_id = ${id})::text`;
