import type { StandardSchemaV1 } from '@standard-schema/spec';
import { validate as isUuid } from 'uuid';
import { durationProblem, parseDuration } from '../common/duration.js';
import { OptionReader } from '../common/option-reader.js';
import { orderedUuid } from '../common/ordered-uuid.js';
import { shown } from '../common/shown.js';
import { isThenable } from '../common/thenable.js';
import { isTaskContract } from '../contracts/define-task.js';
import { headersText } from '../contracts/headers.js';
import { parseWith, storedForm } from '../contracts/parse.js';
import { nameProblem } from '../contracts/task-name.js';
import type { TaskContract, TaskRef } from '../contracts/task-ref.js';
import { InvalidInvokeError } from '../errors/invalid-invoke.error.js';
import { PayloadInvalidError } from '../errors/payload-invalid.error.js';
import { decode, encode } from '../execution/codec.js';
import type { InvokeItem, InvokeOptions } from '../interfaces/invoke-options.js';
import type { UnsentExecution } from './enqueuer.js';

/** Makes of what a caller asked for, of one task, what is ready to be written. Nothing has been written when this throws, or the
 *  promise that a schema makes of it is rejected.
 *  @throws PayloadInvalidError, SerializationError, InvalidInvokeError */
export function executionsOf(
  ref: TaskContract | TaskRef,
): (payload: unknown, options: InvokeOptions) => UnsentExecution | Promise<UnsentExecution> {
  const problemsOfRef = refProblems(ref);
  const what = `payload of task "${ref?.name}"`;
  const schema = isTaskContract(ref) ? ref.payload : undefined;
  const check = (options: InvokeOptions) => {
    const problems = [...problemsOfRef, ...optionProblems(options)];
    const headers = headersText(options?.headers, problems);
    if (problems.length > 0) throw new InvalidInvokeError(problems);
    return headers;
  };
  if (schema === undefined)
    return (payload, options) => {
      const headers = check(options);
      return execution(encode(payload, what), options, headers);
    };
  return async (payload, options) => {
    const headers = check(options);
    return execution(await checked(schema, ref.name, payload, what), options, headers);
  };
}

/** The same of many. */
export async function manyOf(
  task: TaskContract | TaskRef,
  items: InvokeItem<unknown>[],
): Promise<UnsentExecution[]> {
  checkItems(items);
  const make = executionsOf(task);
  const made = items.map(({ payload, ...options }) => make(payload, options));
  return made.some(isThenable)
    ? await Promise.all(made.map(async (one) => await one))
    : (made as UnsentExecution[]);
}

export function nameOf({ name, queue }: TaskContract | TaskRef): { name: string; queue: string } {
  return { name, queue: queue ?? 'default' };
}

function checkItems(items: unknown): void {
  const problems: string[] = [];
  if (!Array.isArray(items))
    problems.push(`the items must be an array of { payload, ...options }, and are ${shown(items)}`);
  else items.forEach((item, index) => OptionReader.open(item, `item ${index}`, problems));
  if (problems.length > 0) throw new InvalidInvokeError(problems);
}

function execution(
  payload: string,
  options: InvokeOptions,
  headers: string | undefined,
): UnsentExecution {
  return {
    // the ids of one process ascend, also within a millisecond: executions of equal priority and time run in this order
    id: options.id?.toLowerCase() ?? orderedUuid(),
    fresh: options.id === undefined,
    taskId: undefined,
    payload,
    headers,
    priority: options.priority,
    runAt: options.runAt,
    delayMs: parseDuration(options.delay),
    expireAfterMs: parseDuration(options.expireAfter),
    deadline: options.deadline instanceof Date ? options.deadline : undefined,
    deadlineMs: options.deadline instanceof Date ? undefined : parseDuration(options.deadline),
  };
}

/** The input as text, once the schema has passed it. The input is stored, not what was parsed from it: the handler's side parses
 *  again, by the code it has then. It is taken down before anything is awaited, and the copy is checked: the caller may
 *  change the object meanwhile. */
async function checked(
  schema: StandardSchemaV1,
  task: string,
  payload: unknown,
  what: string,
): Promise<string> {
  let text: string | undefined;
  try {
    text = encode(payload, what);
  } catch {
    // what cannot be stored as it is (an instance with methods) may be fit for the schema, which knows its data
  }
  const parsed = await parseWith(schema, text === undefined ? payload : decode(text));
  if (parsed.issues) throw new PayloadInvalidError(task, parsed.issues);
  return text ?? encode(await storedForm(schema, payload), what);
}

function refProblems(ref: TaskContract | TaskRef): string[] {
  if (typeof ref !== 'object' || ref === null)
    return ['the task must be a contract of defineTask, or { name, queue? }'];
  const name = nameProblem(ref.name);
  const queue = ref.queue === undefined ? undefined : nameProblem(ref.queue);
  return [
    ...(name === undefined ? [] : [`the task's name ${name}`]),
    ...(queue === undefined ? [] : [`the queue ${queue}`]),
  ];
}

function optionProblems(options: unknown): string[] {
  const problems: string[] = [];
  if (isEmpty(options)) return problems;
  const reader = OptionReader.open(options, '', problems);
  if (reader === undefined) return problems;
  reader.onlyKnown(['id', 'delay', 'runAt', 'priority', 'expireAfter', 'deadline', 'headers']);
  if (reader.has('id') && !isUuid(reader.given.id))
    reader.fail('id', 'must be a UUID, such as crypto.randomUUID() gives');
  const delayProblem = reader.has('delay') ? durationProblem(reader.given.delay) : undefined;
  if (delayProblem !== undefined) problems.push(`delay: ${delayProblem}`);
  reader.date('runAt');
  if (reader.has('delay') && reader.has('runAt'))
    problems.push('delay and runAt exclude each other');
  reader.duration('expireAfter', '1ms');
  if (reader.given.deadline instanceof Date) reader.date('deadline');
  else reader.duration('deadline', '1ms');
  reader.integer('priority', -32_768, 32_767);
  return problems;
}

/** As the options of most are: nothing has to be read. */
function isEmpty(options: unknown): boolean {
  if (Object.getPrototypeOf(options ?? 0) !== Object.prototype) return false;
  for (const _ in options as object) return false;
  return true;
}
