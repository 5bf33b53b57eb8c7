import type { EntityManager } from 'typeorm';
import { v5 as keyOf } from 'uuid';
import { durationProblem, toMilliseconds } from '../common/duration.js';
import { OptionReader } from '../common/option-reader.js';
import { nameProblem } from '../contracts/task-name.js';
import { InsideStepError } from '../errors/inside-step.error.js';
import { InvalidStepError } from '../errors/invalid-step.error.js';
import type { ClaimedExecution } from '../execution/claimed-execution.js';
import { currentExecution } from '../execution/current-execution.js';
import { checkStepOptions, stepOptionNames } from '../execution/step-options.js';
import { headersOf, type Headers } from '../execution/headers.js';
import type { DrawnValue } from '../execution/step-record.js';
import type { Duration } from '../interfaces/duration.js';
import type { InvokeEvent } from '../interfaces/invoke-event.js';
import type { StepOptions } from '../interfaces/step-options.js';
import type { BaseContext } from '../interfaces/task-context.js';
import type { TaskLogger } from '../interfaces/task-logger.js';
import type { StepJournal } from './step-journal.js';

/** What a context is made of. Logger and signal are made when they are first read: most handlers read neither. */
export interface ContextParts {
  execution: ClaimedExecution;
  event: InvokeEvent;
  journal: StepJournal;
  signal(): AbortSignal;
  logger(): TaskLogger;
}

/** The built-in members of every handler's context. */
export class ActivationContext implements BaseContext {
  readonly #parts: ContextParts;
  #headers?: Headers;

  constructor(parts: ContextParts) {
    this.#parts = parts;
  }

  step<T>(name: string, fn: () => Promise<T> | T, options?: StepOptions): Promise<T> {
    // one body is one record: what runs inside it is part of it
    if (insideStep() !== undefined) return Promise.resolve().then(fn);
    const problems = [...nameProblems(name), ...stepProblems(fn, options)];
    if (problems.length > 0) return Promise.reject(new InvalidStepError('ctx.step', problems));
    return this.#parts.journal.step(name, fn, options);
  }

  transaction<T>(
    name: string,
    fn: (em: EntityManager) => Promise<T> | T,
    options?: StepOptions,
  ): Promise<T> {
    const { insideStep: step, transaction } = currentExecution.get() ?? {};
    if (step !== undefined) {
      if (transaction !== undefined) return Promise.resolve(transaction).then(fn);
      return Promise.reject(new InsideStepError(step, 'ctx.transaction'));
    }
    const problems = [...nameProblems(name), ...stepProblems(fn, options)];
    if (problems.length > 0)
      return Promise.reject(new InvalidStepError('ctx.transaction', problems));
    return this.#parts.journal.transaction(name, fn, options);
  }

  async sleep(name: string, duration: Duration): Promise<void> {
    const step = insideStep();
    if (step !== undefined) throw new InsideStepError(step, 'ctx.sleep');
    const problems = [...nameProblems(name), durationProblem(duration) ?? []].flat();
    if (problems.length > 0) throw new InvalidStepError('ctx.sleep', problems);
    await this.#parts.journal.sleep(name, toMilliseconds(duration));
  }

  async sleepUntil(name: string, date: Date): Promise<void> {
    const step = insideStep();
    if (step !== undefined) throw new InsideStepError(step, 'ctx.sleepUntil');
    const problems = nameProblems(name);
    if (!(date instanceof Date && Number.isFinite(date.getTime())))
      problems.push('the second argument must be a valid Date');
    if (problems.length > 0) throw new InvalidStepError('ctx.sleepUntil', problems);
    await this.#parts.journal.sleepUntil(name, date.getTime());
  }

  now(): Promise<Date> {
    return this.#draw('now') as Promise<Date>;
  }

  uuid(): Promise<string> {
    return this.#draw('uuid') as Promise<string>;
  }

  random(): Promise<number> {
    return this.#draw('random') as Promise<number>;
  }

  async patched(id: string): Promise<boolean> {
    const step = insideStep();
    if (step !== undefined) throw new InsideStepError(step, 'ctx.patched');
    const problem = nameProblem(id);
    if (problem !== undefined) throw new InvalidStepError('ctx.patched', [`the id ${problem}`]);
    return await this.#parts.journal.patched(id);
  }

  idempotencyKey(stepName: string): string {
    const problems = nameProblems(stepName);
    if (problems.length > 0) throw new InvalidStepError('ctx.idempotencyKey', problems);
    return keyOf(stepName, this.executionId);
  }

  // in a step's body it is part of what is recorded with it
  #draw(what: DrawnValue): Promise<unknown> {
    const { journal } = this.#parts;
    return insideStep() === undefined ? journal.draw(what) : Promise.resolve(journal.drawn(what));
  }

  get logger(): TaskLogger {
    return this.#parts.logger();
  }

  get signal(): AbortSignal {
    const ofStep = currentExecution.get()?.stepSignal;
    const signal = this.#parts.signal();
    return ofStep === undefined ? signal : AbortSignal.any([signal, ofStep]);
  }

  get executionId(): string {
    return this.#parts.execution.id;
  }

  get attempt(): number {
    return this.#parts.execution.failures + 1;
  }

  get headers(): Headers {
    return (this.#headers ??= headersOf(this.#parts.execution.headers));
  }

  get taskName(): string {
    return this.#parts.execution.task.name;
  }

  get queue(): string {
    return this.#parts.execution.task.queue;
  }

  get fence(): number {
    return this.#parts.execution.claims;
  }

  get event(): InvokeEvent {
    return this.#parts.event;
  }
}

/** A step may be named after what it works on, such as an address. The name is part of a key, which Postgres limits. */
const MAX_STEP_NAME = 500;

function nameProblems(name: unknown): string[] {
  const problem = nameProblem(name, MAX_STEP_NAME);
  return problem === undefined ? [] : [`the name ${problem}`];
}

function stepProblems(fn: unknown, options: StepOptions | undefined): string[] {
  const problems =
    typeof fn === 'function' ? [] : ['the second argument must be the function to run'];
  const reader = options === undefined ? undefined : OptionReader.open(options, '', problems);
  reader?.onlyKnown(stepOptionNames);
  if (reader !== undefined) checkStepOptions(reader);
  return problems;
}

function insideStep(): string | undefined {
  return currentExecution.get()?.insideStep;
}

/** Names of the members that a custom context may not have. */
export function builtInMembers(): string[] {
  return Object.getOwnPropertyNames(ActivationContext.prototype).filter(
    (name) => name !== 'constructor',
  );
}
