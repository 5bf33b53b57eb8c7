import type { EntityManager } from 'typeorm';
import type { Duration } from './duration.js';
import type { InvokeEvent } from './invoke-event.js';
import type { StepOptions } from './step-options.js';
import type { TaskLogger } from './task-logger.js';

/** What every handler gets as its second argument. */
export interface BaseContext {
  /**
   * Runs fn and records its result; once recorded, later attempts get that result and fn does not run again. A failed step
   * fails the attempt unless the handler catches the error.
   *
   * `name` is unique within the execution, over steps and sleeps. Inside another step's body fn runs inline, unrecorded.
   *
   * @throws DuplicateStepError if the name was used before in this attempt
   * @throws InvalidStepError for a name or options that cannot work; fn has not run
   * @throws SerializationError if the result cannot be stored: a function, a cycle, more than 1 MB…
   * @throws ExecutionClosedError if the handler has already ended
   */
  step<T>(name: string, fn: () => Promise<T> | T, options?: StepOptions): Promise<T>;

  /**
   * Runs fn as a step in a transaction of the app's DataSource (module option `transactions`). What fn writes through `em` is committed
   * together with the step's record: exactly once, whatever crashes. If fn throws, all of it is rolled back. Keep it short, as any
   * transaction; it is ended after 5 s without a statement, unless `transactions.idleTimeout` or the connection says otherwise.
   *
   * Within the body of another transactional step, fn takes part in that one's transaction.
   *
   * @throws as `step`
   * @throws NoTransactionsError if the module has no option `transactions`
   * @throws InsideStepError in the body of a step that is not transactional
   */
  transaction<T>(
    name: string,
    fn: (em: EntityManager) => Promise<T> | T,
    options?: StepOptions,
  ): Promise<T>;

  /**
   * Waits without holding the worker: the execution is put away and taken up again, by any worker, once the time is over.
   * The wait is measured by the database's clock, outlives restarts and does not start over. Zero or less is over at once.
   *
   * `duration` is a number of milliseconds or a string such as `'10m'`. `name` is unique, as for `step`.
   *
   * @throws DuplicateStepError if the name was used before in this attempt
   * @throws InsideStepError in the body of a step
   * @throws InvalidStepError for a name or duration that cannot work
   * @throws ExecutionClosedError if the handler has already ended
   */
  sleep(name: string, duration: Duration): Promise<void>;

  /**
   * Waits as `sleep` does, until an instant of the database's clock. One in the past is over at once.
   *
   * @throws as `sleep`
   */
  sleepUntil(name: string, date: Date): Promise<void>;

  /**
   * The time, as the database has it; the same again on a replay and in later attempts, which a `new Date()` of the handler's own is not.
   * Stored before the handler sees it, as a step's result is, so nothing that it is passed to can outlive it; calls made together
   * share a write. Recorded in the order of the calls as `ctx.now`, `ctx.now#2`…, `uuid` and `random` likewise. In the body of a step
   * nothing is recorded: there it is the time of the call.
   *
   * @throws ExecutionClosedError if the handler has already ended
   * @throws DuplicateStepError if a step of the handler's own has that name
   */
  now(): Promise<Date>;

  /** A random UUID, which nobody can guess; recorded as `now` is.
   *  @throws as `now` */
  uuid(): Promise<string>;

  /** A number from 0 up to, but not including, 1, not fit for secrets; recorded as `now` is.
   *  @throws as `now` */
  random(): Promise<number>;

  /**
   * A key for other systems, by which they know a request that is sent again: a UUID that belongs to this execution and this name, the
   * same in every attempt and in every try of a step. Costs nothing, and may be called anywhere, most of all in the body of a step.
   *
   * It can be derived from the execution's id, so it is no secret.
   *
   * @throws InvalidStepError for a name that no step could have
   */
  idempotencyKey(stepName: string): string;

  /**
   * Lets code be changed while executions of it are under way: `if (await ctx.patched('fraud-check')) { …new… } else { …old… }`.
   * True where the execution comes here for the first time, which is recorded; false where its record shows that it came past here
   * before the call was in the code. The same answer in every later replay, and for each call with this id.
   *
   * The other way may go once no execution is left that began before the change; the call itself once none is left that has recorded it.
   *
   * "Past here" is what was recorded and not asked for yet, of other branches that run side by side as well. `id` is unique within the
   * task, at most 200 characters.
   *
   * @throws InsideStepError in the body of a step
   * @throws InvalidStepError for an id that cannot be one
   * @throws ExecutionClosedError if the handler has already ended
   */
  patched(id: string): Promise<boolean>;

  readonly logger: TaskLogger;

  /** Aborted when this attempt should stop: its execution was cancelled (the reason is an ExecutionCancelledError, with the reason
   *  that was given), its worker shuts down, it no longer owns the execution, or the task's `timeout` is over. Within the body of a step that has a `timeout` it is aborted at the end of that as well; read it there. */
  readonly signal: AbortSignal;

  /** The execution's id, a UUID; the same in every attempt. */
  readonly executionId: string;

  /** 1 on the first attempt; one more after each attempt that failed. Sleeps and restarts of the worker do not count. */
  readonly attempt: number;

  /** What the invoke gave as `headers`, the same in every attempt; empty where it gave none. */
  readonly headers: Readonly<Record<string, string>>;

  readonly taskName: string;

  readonly queue: string;

  /**
   * How often the execution was handed to a worker, this time included. It only ever grows, so another system that keeps
   * the highest fence it has seen can refuse what an outdated attempt still sends.
   */
  readonly fence: number;

  /** What the handler's first argument is. */
  readonly event: InvokeEvent;
}

/** Names of built-in members to come. A custom context cannot take them today, so that none of them breaks an app one day. */
export const reservedMembers = [
  'cancel',
  'checkpoint',
  'emit',
  'invoke',
  'lastCheckpoint',
  'lost',
  'onRollback',
  'parentId',
  'schedule',
  'setProgress',
  'start',
  'token',
  'unschedule',
  'waitForEvent',
] as const;

/** A custom context adds members to the built-in ones and replaces none of them. */
// `& object` exempts it from the check that refuses a type with no property in common
export type NoClash = {
  [K in keyof BaseContext | (typeof reservedMembers)[number]]?: never;
} & object;

/** The handler's second argument: the built-in members, and those of the custom context X. */
export type TaskContext<X extends NoClash = object> = BaseContext & {
  readonly [K in keyof X]: X[K];
};

/** Gives the type a value at run time: with `emitDecoratorMetadata` the compiler refers to it from the metadata of decorated
 *  methods, so a plain `import { TaskContext }` works. */
export const TaskContext: abstract new () => object = class TaskContext {};
