import { recordStatus } from '../../execution/step-record.js';
import { reportCode } from '../../execution/outcome.js';
import { recordParameters } from './save-steps.js';
import { sqlFunction } from './sql-function.js';

/** Marks a transaction as a step's, for as long as it lasts. */
const MARK = 'conductor.step';

/** SQLSTATE of a step that has ended its transaction itself. */
export const TRANSACTION_ENDED = 'NC001';

/** First in the transaction, before the step's body. A frozen process must not hold its locks for ever; a connection that has a
 *  time-out of its own keeps it. */
export const beginStep = sqlFunction({
  name: 'begin_step',
  parameters: ['p_mark text', 'p_idle_ms int'],
  returns: 'void',
  body: () => `
begin
  perform set_config('${MARK}', p_mark, true);
  if current_setting('idle_in_transaction_session_timeout') = '0' then
    perform set_config('idle_in_transaction_session_timeout', p_idle_ms::text, true);
  end if;
end`,
});

/** Last in the transaction: takes the fence's lock and writes the records, to be committed with what the body wrote. It locks as
 *  save_steps does, waiting for nobody, so the body's own locks cannot be part of a deadlock. It acknowledges, so it is durable
 *  whatever the connection's settings say. */
export const recordStep = sqlFunction({
  name: 'record_step',
  parameters: ['p_mark text', ...recordParameters],
  returns: 'table(ordinal int, report int)',
  body: (s) => `
begin
  if current_setting('${MARK}', true) is distinct from p_mark then
    raise exception 'the transaction that the step was given has ended' using errcode = '${TRANSACTION_ENDED}';
  end if;
  perform set_config('synchronous_commit', 'on', true);
  return query select * from ${s}.save_steps(${recordParameters.map((parameter) => parameter.split(' ')[0]).join(', ')});
end`,
});

export const foundCode = { lost: reportCode.lost, absent: 1, recorded: 2 } as const;

/** Whether a step whose COMMIT was not answered is recorded. The lock waits for that transaction to be gone, and only a statement
 *  after it sees what it has committed. */
export const findStep = sqlFunction({
  name: 'find_step',
  parameters: ['p_id uuid', 'p_token uuid', 'p_name text'],
  returns: 'int',
  body: (s) => `
declare
  held uuid;
begin
  select r.token into held from ${s}.run r where r.id = p_id for no key update;
  if held is distinct from p_token then return ${foundCode.lost}; end if;
  if exists (select from ${s}.step m where m.execution_id = p_id and m.name = p_name and m.token = p_token
                                       and m.status = ${recordStatus.completed}) then
    return ${foundCode.recorded};
  end if;
  return ${foundCode.absent};
end`,
});
