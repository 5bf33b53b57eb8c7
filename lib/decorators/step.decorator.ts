import { OptionReader } from '../common/option-reader.js';
import { STEP_METADATA } from '../conductor.constants.js';
import { nameProblem } from '../contracts/task-name.js';
import { InvalidStepError } from '../errors/invalid-step.error.js';
import { InvalidTaskError } from '../errors/invalid-task.error.js';
import { InsideStepError } from '../errors/inside-step.error.js';
import { currentExecution } from '../execution/current-execution.js';
import { checkStepOptions, stepOptionNames } from '../execution/step-options.js';
import type { StepMethodOptions } from '../interfaces/step-options.js';
import { methodSource, ownMethod } from './method-source.js';
import type { KeyFits, StepMethod } from './step-fits.js';
import { transactionParameters } from './tx.decorator.js';

/** What `@Step` leaves on its method. */
export interface StepMetadata {
  transactional: boolean;
}

// the method's own type stays: only that it returns a promise is asked for
export type StepDecorator<A extends unknown[]> = <M extends StepMethod>(
  target: object,
  method: string,
  descriptor: TypedPropertyDescriptor<M> & KeyFits<M, A>,
) => void;

/**
 * Makes a method of any provider a step: called while an execution runs, its result is recorded under `Class.method`, and the
 * next attempt gets that result without a second run. The second call in an execution is `…#2`, and so on, in the order of
 * the calls. It works on any instance and on self-calls: the execution is found through AsyncLocalStorage. Called
 * outside an execution, or inside another step's body, it is an ordinary method.
 *
 * @throws InvalidTaskError at decoration, for bad options or where it stands on something other than a method
 */
export function Step<A extends unknown[] = never>(
  options: StepMethodOptions<A> = {},
): StepDecorator<A> {
  return (target, method, descriptor) => {
    const source = methodSource(target, method);
    const original = ownMethod('@Step', target, method, descriptor);
    const problems = [...placeProblems(original, target, options), ...stepOptionProblems(options)];
    if (problems.length > 0)
      throw new InvalidTaskError(
        source,
        problems.map((problem) => `@Step: ${problem}`),
      );
    const { name = source, key, retry, timeout, transactional = false } = options;
    const ofTransaction = transactionParameters(target, method);
    const step = function (this: unknown, ...args: unknown[]): unknown {
      const { execution, insideStep, transaction } = currentExecution.get() ?? {};
      const body = () => original.apply(this, withTransaction(args, ofTransaction));
      if (insideStep !== undefined && transactional && transaction === undefined)
        return Promise.reject(new InsideStepError(insideStep, source));
      if (execution === undefined || insideStep !== undefined) return body();
      try {
        return execution.callStep({
          name,
          key: key && checkedKey(key(...(args as A)), source),
          args: args.filter((_, index) => !ofTransaction.includes(index)),
          options: { retry, timeout },
          transactional,
          body: async () => await body(),
        });
      } catch (error) {
        return Promise.reject(error); // the method promises a promise, also where its key throws
      }
    };
    // decorators below have left their metadata on the original, and Nest reads name and length
    for (const inherited of Reflect.getOwnMetadataKeys(original)) {
      Reflect.defineMetadata(inherited, Reflect.getOwnMetadata(inherited, original), step);
    }
    const metadata: StepMetadata = { transactional };
    Reflect.defineMetadata(STEP_METADATA, metadata, step);
    Object.defineProperty(step, 'name', { value: original.name, configurable: true });
    Object.defineProperty(step, 'length', { value: original.length, configurable: true });
    descriptor.value = step as unknown as typeof descriptor.value;
  };
}

function placeProblems(original: object, target: object, options: { name?: string }): string[] {
  const problems: string[] = [];
  if (Reflect.hasOwnMetadata(STEP_METADATA, original)) problems.push('stands there twice');
  if (options?.name === undefined && target.constructor.name === '')
    problems.push(
      'the class has no name that results could be recorded under: give the option name',
    );
  return problems;
}

function stepOptionProblems(options: unknown): string[] {
  const problems: string[] = [];
  const reader = OptionReader.open(options, '', problems);
  if (reader === undefined) return problems;
  reader.onlyKnown(['name', 'key', 'transactional', ...stepOptionNames]);
  reader.boolean('transactional');
  const { name, key } = reader.given;
  const wrongName = name === undefined ? undefined : nameProblem(name);
  if (wrongName !== undefined) reader.fail('name', wrongName);
  if (key !== undefined && typeof key !== 'function')
    reader.fail('key', 'must be a function of the arguments that returns a string');
  checkStepOptions(reader);
  return problems;
}

/** The arguments of a body, with the transaction that it runs in where `@Tx` stands. */
function withTransaction(args: unknown[], indexes: number[]): unknown[] {
  const transaction = currentExecution.get()?.transaction;
  if (indexes.length === 0 || transaction === undefined) return args;
  const all = [...args];
  for (const index of indexes) all[index] = transaction;
  return all;
}

/** A key is part of the record's name, and has to be fit for one. */
function checkedKey(key: unknown, source: string): string {
  const problem = nameProblem(key);
  if (problem === undefined) return key as string;
  throw new InvalidStepError(`@Step on ${source}`, [`what its option key returns ${problem}`]);
}
