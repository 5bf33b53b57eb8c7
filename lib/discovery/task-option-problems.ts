import { OptionReader } from '../common/option-reader.js';
import { LONGEST_TIMEOUT } from '../common/duration.js';
import { nameProblem } from '../contracts/task-name.js';
import { retentionOptionProblems } from '../execution/retention-policy.js';
import { retryOptionProblems } from '../execution/retry-policy.js';

/** Everything that is wrong with a task's options, which may come from code without types; each problem begins with the
 *  option's place. `where` stands before the options' names in messages and may be empty. */
export function taskOptionProblems(options: unknown, where: string): string[] {
  const problems: string[] = [];
  const task = OptionReader.open(options, where, problems);
  if (task === undefined) return problems;
  task.onlyKnown([
    'queue',
    'retry',
    'timeout',
    'expireAfter',
    'deadline',
    'retention',
    'priority',
    'maxLosses',
    'version',
    'params',
  ]);
  const { queue, retry, retention, maxLosses } = task.given;
  const queueProblem = queue === undefined ? undefined : nameProblem(queue);
  if (queueProblem !== undefined) task.fail('queue', queueProblem);
  if (retry !== undefined) problems.push(...retryOptionProblems(retry, task.at('retry')));
  task.duration('timeout', '1ms', LONGEST_TIMEOUT);
  task.duration('expireAfter', '1ms');
  task.duration('deadline', '1ms');
  if (retention !== undefined)
    problems.push(...retentionOptionProblems(retention, task.at('retention')));
  task.integer('priority', -32_768, 32_767);
  if (maxLosses !== false) task.integer('maxLosses', 1, 32_767, 'or false, for no limit');
  task.integer('version', 0, 2_147_483_647);
  task.oneOf('params', ['decorated']);
  return problems;
}
