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
  reader.onlyKnown(['status', 'task', 'queue', 'since', 'retryOf', 'forkOf', 'cursor', 'limit']);
  checkNames(reader);
  for (const name of [reader.given.status ?? []].flat()) {
    if (typeof name === 'string' && Object.hasOwn(statusCode, name)) continue;
    problems.push(
      `status ${shown(name)} does not exist; there are ${Object.keys(statusCode).join(', ')}`,
    );
  }
  reader.date('since');
  for (const key of ['retryOf', 'forkOf'])
    if (reader.has(key) && !isUuid(reader.given[key]))
      reader.fail(key, 'must be the id of an execution');
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

/** What is wrong with a filter of `retryMany`. */
export function retryManyProblems(filter: unknown): string[] {
  const problems: string[] = [];
  const reader = OptionReader.open(filter, 'the filter', problems);
  if (reader === undefined) return problems;
  reader.onlyKnown(['status', 'task', 'queue', 'since', 'limit']);
  checkNames(reader);
  for (const name of [reader.given.status ?? []].flat())
    if (name !== 'failed' && name !== 'cancelled')
      problems.push(`status ${shown(name)} cannot be retried; there are failed and cancelled`);
  reader.date('since');
  reader.integer('limit', 1, Number.MAX_SAFE_INTEGER);
  return problems;
}

/** What is wrong with the options of `retry`, or of `fork`. */
export function rerunProblems(options: unknown, known: ('id' | 'fromStep')[]): string[] {
  const problems: string[] = [];
  const reader = OptionReader.open(options, '', problems);
  if (reader === undefined) return problems;
  reader.onlyKnown(known);
  if (reader.has('id') && !isUuid(reader.given.id))
    reader.fail('id', 'must be a UUID, such as crypto.randomUUID() gives');
  const { fromStep } = reader.given;
  if (known.includes('fromStep') && (typeof fromStep !== 'string' || fromStep === ''))
    reader.fail('fromStep', `must be the name of a recorded step, and is ${shown(fromStep)}`);
  return problems;
}

function checkNames(reader: OptionReader): void {
  for (const key of ['task', 'queue']) {
    const problem = reader.has(key) ? nameProblem(reader.given[key]) : undefined;
    if (problem !== undefined) reader.fail(key, problem);
  }
}
