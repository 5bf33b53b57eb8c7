import { statusCode as status } from '../../execution/execution-status.js';
import { sqlFunction } from './sql-function.js';

/** Whether anything of these tasks runs or could run now: what drain() waits for. */
export const runnable = sqlFunction({
  name: 'runnable',
  parameters: ['p_tasks int[]'],
  returns: 'boolean',
  body: (s) => `
begin
  return exists (select 1 from ${s}.run r where r.status = ${status.running} and r.task_id = any(p_tasks))
      or coalesce(${s}.next_due(p_tasks) <= ${s}.clock(), false);
end`,
});
