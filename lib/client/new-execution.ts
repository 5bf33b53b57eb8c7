import { v7 as orderedUuid, validate as isUuid } from 'uuid';
import { parseDuration } from '../common/duration.js';
import { isTaskContract } from '../contracts/define-task.js';
import { parseWith, storedForm } from '../contracts/parse.js';
import { nameProblem } from '../contracts/task-name.js';
import type { TaskContract, TaskRef } from '../contracts/task-ref.js';
import { InvalidInvokeError } from '../errors/invalid-invoke.error.js';
import { PayloadInvalidError } from '../errors/payload-invalid.error.js';
import { encode } from '../execution/codec.js';
import type { InvokeOptions } from '../interfaces/invoke-options.js';
import type { NewExecution } from '../persistence/repositories/execution.repository.js';

const known = ['id', 'delay', 'runAt', 'priority'];

/** What a caller asked for, checked and ready to be written. Nothing has been written when this throws.
 *  @throws PayloadInvalidError, SerializationError, InvalidInvokeError */
export async function newExecution(
  ref: TaskContract | TaskRef,
  payload: unknown,
  options: InvokeOptions,
): Promise<Omit<NewExecution, 'taskId'>> {
  const problems = [...refProblems(ref), ...optionProblems(options)];
  if (problems.length > 0) throw new InvalidInvokeError(problems);
  let stored = payload;
  if (isTaskContract(ref)) {
    // the input is stored, not what was parsed from it: the handler's side parses again, by the code it has then
    const parsed = await parseWith(ref.payload, payload);
    if (parsed.issues) throw new PayloadInvalidError(ref.name, parsed.issues);
    stored = await storedForm(ref.payload, payload);
  }
  return {
    // the ids of one process ascend, also within a millisecond: executions of equal priority and time run in this order
    id: options.id?.toLowerCase() ?? orderedUuid(),
    payload: encode(stored, `payload of task "${ref.name}"`),
    priority: options.priority,
    runAt: options.runAt,
    delayMs: parseDuration(options.delay),
  };
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

function optionProblems(options: InvokeOptions): string[] {
  const { id, delay, runAt, priority } = options;
  const problems = Object.keys(options)
    .filter((key) => !known.includes(key))
    .map((key) => `unknown option "${key}"; known are ${known.join(', ')}`);
  if (id !== undefined && !isUuid(id))
    problems.push('id must be a UUID, such as crypto.randomUUID() gives');
  if (delay !== undefined && parseDuration(delay) === undefined) {
    problems.push(
      `delay must be a number of milliseconds or a duration such as '10m', not ${JSON.stringify(delay)}`,
    );
  }
  if (runAt !== undefined && !(runAt instanceof Date && Number.isFinite(runAt.getTime())))
    problems.push('runAt must be a valid Date');
  if (delay !== undefined && runAt !== undefined)
    problems.push('delay and runAt exclude each other');
  if (
    priority !== undefined &&
    !(Number.isInteger(priority) && priority >= -32768 && priority <= 32767)
  ) {
    problems.push('priority must be an integer from -32768 to 32767');
  }
  return problems;
}
