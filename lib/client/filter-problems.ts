import { validate as isUuid } from 'uuid';
import { OptionReader } from '../common/option-reader.js';
import { shown } from '../common/shown.js';
import { nameProblem } from '../contracts/task-name.js';
import { statusCode } from '../execution/execution-status.js';

/** What is wrong with a filter of `list`. */
export function filterProblems(filter: unknown): string[] {
  const problems: string[] = [];
  const reader = OptionReader.open(filter, 'the filter', problems);
  if (reader === undefined) return problems;
  reader.onlyKnown(['status', 'task', 'queue', 'since', 'cursor', 'limit']);
  checkNames(reader);
  for (const name of [reader.given.status ?? []].flat()) {
    if (typeof name === 'string' && Object.hasOwn(statusCode, name)) continue;
    problems.push(
      `status ${shown(name)} does not exist; there are ${Object.keys(statusCode).join(', ')}`,
    );
  }
  reader.date('since');
  if (reader.has('cursor') && !isUuid(reader.given.cursor))
    reader.fail('cursor', 'must be the nextCursor of another page');
  reader.integer('limit', 1, Number.MAX_SAFE_INTEGER);
  return problems;
}

/** What is wrong with a filter of `resume`. */
export function resumeProblems(filter: unknown): string[] {
  const problems: string[] = [];
  const reader = OptionReader.open(filter, 'the filter', problems);
  reader?.onlyKnown(['task', 'queue']);
  if (reader !== undefined) checkNames(reader);
  return problems;
}

function checkNames(reader: OptionReader): void {
  for (const key of ['task', 'queue']) {
    const problem = reader.has(key) ? nameProblem(reader.given[key]) : undefined;
    if (problem !== undefined) reader.fail(key, problem);
  }
}
