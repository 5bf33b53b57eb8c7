import type { StandardSchemaV1 } from '@standard-schema/spec';
import { InvalidTaskError } from '../errors/invalid-task.error.js';
import { isDtoClass } from './dto-class.js';
import { DtoSchema } from './dto-schema.js';
import type { InputOf, OutputOf, Schema, StoredOutputOf } from './schema.js';
import { isSchema, isStandardSchema } from './schema.js';
import { nameProblem } from './task-name.js';
import { contractTypes, type TaskContract } from './task-ref.js';

export interface TaskContractOptions<
  N extends string = string,
  P extends Schema | undefined = Schema | undefined,
  R extends Schema | undefined = Schema | undefined,
> {
  /** 1 to 200 characters, unique within the queue. It is stored with every execution: renaming the task strands them. */
  name: N;
  /** The queue the task's executions wait in. Default `'default'`. */
  queue?: string;
  /** A DTO class, a schema, or `type<T>()`. Omitted: any payload, which the handler gets as `unknown`. */
  payload?: P;
  /** A DTO class, a schema, or `type<T>()`; `type<void>()` for a task that returns nothing. Omitted: any result, which callers
   *  get as `unknown`. */
  returns?: R;
}

const optionNames = ['name', 'queue', 'payload', 'returns'];

/**
 * What callers and the handler of a task agree on. `@Task(contract)` holds the handler to it, `invoke(contract, …)` the
 * caller, and neither has to import the other.
 *
 * @throws InvalidTaskError that lists everything wrong with the options
 */
export function defineTask<
  const N extends string,
  P extends Schema | undefined = undefined,
  R extends Schema | undefined = undefined,
>(
  options: TaskContractOptions<N, P, R>,
): TaskContract<N, InputOf<P>, OutputOf<P>, InputOf<R>, StoredOutputOf<R>> {
  const problems = contractProblems(options);
  const name: unknown = options?.name;
  const source = `defineTask(${JSON.stringify(name) ?? ''})`;
  if (problems.length > 0) throw new InvalidTaskError(source, problems);
  const payload = schemaOf(options.payload, 'payload', source);
  const returns = schemaOf(options.returns, 'returns', source);
  const contract = {
    name: options.name,
    queue: options.queue ?? 'default',
    ...(payload && { payload }),
    ...(returns && { returns }),
    [contractTypes]: {},
  };
  return Object.freeze(contract) as unknown as TaskContract<
    N,
    InputOf<P>,
    OutputOf<P>,
    InputOf<R>,
    StoredOutputOf<R>
  >;
}

/** Whether a value was made by `defineTask`. */
export function isTaskContract(value: unknown): value is TaskContract {
  return typeof value === 'object' && value !== null && contractTypes in value;
}

/** Undefined where nothing is checked. */
function schemaOf(
  schema: Schema | undefined,
  use: 'payload' | 'returns',
  source: string,
): StandardSchemaV1 | undefined {
  if (isStandardSchema(schema)) return schema; // first: a schema may be a function, or even a class
  return isDtoClass(schema) ? new DtoSchema(schema, use, source) : undefined;
}

function contractProblems(options: unknown): string[] {
  if (typeof options !== 'object' || options === null) {
    return ['takes an object such as { name: "orders.charge", payload: ChargeOrder }'];
  }
  const { name, queue, payload, returns } = options as Record<string, unknown>;
  const problems: string[] = [];
  const nameWrong = nameProblem(name);
  if (nameWrong !== undefined) problems.push(`name ${nameWrong}`);
  const queueWrong = queue === undefined ? undefined : nameProblem(queue);
  if (queueWrong !== undefined) problems.push(`queue ${queueWrong}`);
  for (const [key, schema] of Object.entries({ payload, returns })) {
    if (schema === undefined || isSchema(schema)) continue;
    problems.push(
      `${key} must be a DTO class, a schema (zod, valibot, … – any Standard Schema) or type<T>()`,
    );
  }
  for (const key of Object.keys(options)) {
    if (optionNames.includes(key)) continue;
    problems.push(
      `${key} is not part of a contract (${optionNames.join(', ')}); how a task is run belongs into @Task(contract, { … })`,
    );
  }
  return problems;
}
