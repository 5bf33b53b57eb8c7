import type { EntityManager } from 'typeorm';
import { validate as isUuid } from 'uuid';
import { orderedUuid } from '../common/ordered-uuid.js';
import { shown } from '../common/shown.js';
import { isThenable } from '../common/thenable.js';
import type {
  InvokeArgs,
  PayloadOf,
  ResultOf,
  TaskContract,
  TaskRef,
} from '../contracts/task-ref.js';
import { InvalidInvokeError } from '../errors/invalid-invoke.error.js';
import type { CancelAnswer } from '../execution/cancel-answer.js';
import type {
  ExecutionFilter,
  ExecutionPage,
  ExecutionView,
  QueueView,
  StepView,
} from '../execution/execution-view.js';
import type { InvokeItem, InvokeOptions } from '../interfaces/invoke-options.js';
import type {
  ForkOptions,
  RerunOptions,
  RetriedExecution,
  RetryManyFilter,
} from '../interfaces/rerun-options.js';
import type { CallerTransactions } from '../persistence/caller-transactions.js';
import type { ExecutionReader } from '../persistence/repositories/execution.reader.js';
import type { Canceller, CancelOptions } from './canceller.js';
import type { Enqueuer } from './enqueuer.js';
import {
  checkedTimeout,
  ExecutionHandle,
  InvokedExecution,
  type ResultOptions,
} from './execution-handle.js';
import {
  filterProblems,
  rerunProblems,
  resumeProblems,
  retryManyProblems,
} from './filter-problems.js';
import { executionsOf, manyOf, nameOf } from './new-execution.js';
import type { Rerunner } from './rerunner.js';
import type { ResultWaiter } from './result-waiter.js';
import type { ResumeFilter, Resumer } from './resumer.js';
import { TransactionalConductor } from './transactional-conductor.js';

/** Asks for work, and reads what became of it. Injectable in every process, whether it runs tasks or not. */
export class Conductor {
  readonly #enqueuer: Enqueuer;
  readonly #resumer: Resumer;
  readonly #rerunner: Rerunner;
  readonly #reader: ExecutionReader;
  readonly #waiter: ResultWaiter;
  readonly #transactions: CallerTransactions;
  readonly #canceller: Canceller;

  /** @internal */
  constructor(
    enqueuer: Enqueuer,
    resumer: Resumer,
    rerunner: Rerunner,
    reader: ExecutionReader,
    waiter: ResultWaiter,
    transactions: CallerTransactions,
    canceller: Canceller,
  ) {
    this.#enqueuer = enqueuer;
    this.#resumer = resumer;
    this.#rerunner = rerunner;
    this.#reader = reader;
    this.#waiter = waiter;
    this.#transactions = transactions;
    this.#canceller = canceller;
  }

  /**
   * Asks for a task to be run. Once this resolves the execution is on disk, and is run whatever crashes; a task that no
   * process knows yet waits for one that does.
   *
   * Concurrent invokes share a statement, so awaiting many of them together is far cheaper than one after the other.
   *
   * @throws PayloadInvalidError with every problem and its path, if the contract's schema refuses the payload
   * @throws SerializationError if the payload cannot be stored
   * @throws InvalidInvokeError for bad options
   * @throws ExecutionIdConflictError if `options.id` belongs to another task's execution
   * @throws ExecutionIdBusyError if `options.id` was invoked in a transaction (`using`) that is still open after 10 s
   * @throws DatabaseUnavailableError after 10 s without an answer. With an id of your own it is safe to invoke again
   */
  invoke<C extends TaskContract>(
    task: C,
    ...args: InvokeArgs<C>
  ): Promise<InvokedExecution<ResultOf<C>>>;
  invoke<R = unknown>(
    task: TaskRef,
    payload?: unknown,
    options?: InvokeOptions,
  ): Promise<InvokedExecution<R>>;
  async invoke(
    task: TaskContract | TaskRef,
    payload?: unknown,
    options: InvokeOptions = {},
  ): Promise<InvokedExecution> {
    const made = executionsOf(task)(payload, options);
    const execution = isThenable(made) ? await made : made;
    const outcome = await this.#enqueuer.one({ task: nameOf(task), execution });
    // an id that we made is known only if our own first try, whose reply was lost, was applied
    return new InvokedExecution(
      execution.id,
      options.id === undefined ? 'created' : outcome,
      this.#reader,
      this.#waiter,
      this.#canceller,
    );
  }

  /** Asks for many executions of a task in one statement. What a check or Postgres refuses is refused with all others; with an id that belongs
   *  to another task it throws, and the others are accepted all the same. Handles in the order of the items.
   *  @throws as `invoke` */
  invokeMany<C extends TaskContract>(
    task: C,
    items: InvokeItem<PayloadOf<C>>[],
  ): Promise<InvokedExecution<ResultOf<C>>[]>;
  invokeMany<R = unknown>(
    task: TaskRef,
    items: InvokeItem<unknown>[],
  ): Promise<InvokedExecution<R>[]>;
  async invokeMany(
    task: TaskContract | TaskRef,
    items: InvokeItem<unknown>[],
  ): Promise<InvokedExecution[]> {
    const executions = await manyOf(task, items);
    if (executions.length === 0) return [];
    const name = nameOf(task);
    const outcomes = await this.#enqueuer.many(
      executions.map((execution) => ({ task: name, execution })),
    );
    return executions.map(
      ({ id }, index) =>
        new InvokedExecution(
          id,
          items[index]!.id === undefined ? 'created' : outcomes[index]!,
          this.#reader,
          this.#waiter,
          this.#canceller,
        ),
    );
  }

  /** `invoke`, then the handle's `result`.
   *  @throws as `invoke` and `ExecutionHandle.result` */
  invokeAndWait<C extends TaskContract>(
    task: C,
    ...args: InvokeArgs<C, InvokeOptions & ResultOptions>
  ): Promise<ResultOf<C>>;
  invokeAndWait<R = unknown>(
    task: TaskRef,
    payload?: unknown,
    options?: InvokeOptions & ResultOptions,
  ): Promise<R>;
  async invokeAndWait(
    task: TaskContract | TaskRef,
    payload?: unknown,
    { timeout, ...options }: InvokeOptions & ResultOptions = {},
  ): Promise<unknown> {
    checkedTimeout(timeout); // before anything is written: whoever corrects it would invoke again
    const handle = await this.invoke(task as TaskRef, payload, options);
    return await handle.result({ timeout });
  }

  /**
   * The conductor within a transaction of the caller's, in the conductor's database: what is asked for there is accepted with its commit, and
   * never was if it is rolled back.
   *
   * ```ts
   * await dataSource.transaction(async (em) => {
   *   const order = await em.save(Order, draft);
   *   await conductor.using(em).invoke(chargeOrder, { orderId: order.id });
   * });
   * ```
   *
   * @param manager of the transaction: what `transaction(async (em) => …)` gives, a queryRunner's, or `@Tx() em` of a transactional step
   * @throws InvalidInvokeError for anything but an EntityManager
   */
  using(manager: EntityManager): TransactionalConductor {
    if (!isEntityManager(manager))
      throw new InvalidInvokeError([
        `using() takes the EntityManager of a transaction, such as dataSource.transaction(async (em) => …) gives, and got ${shown(manager)}`,
      ]);
    return new TransactionalConductor(manager, this.#transactions, this.#enqueuer);
  }

  /** A handle on an execution, whether it exists or not.
   *  @throws InvalidInvokeError if the id is not a UUID */
  handle<R = unknown>(id: string): ExecutionHandle<R> {
    return new ExecutionHandle<R>(checkedId(id), this.#reader, this.#waiter, this.#canceller);
  }

  /**
   * Offers blocked executions again, to any worker: one of them, or all that a filter names. Those whose code did not
   * fit their record are offered by themselves too: after 1 s, 10 s, 1 min, then every 10 min to workers other than the one
   * that found it out, and to each worker that boots. So this is needed only where that is too slow.
   *
   * @returns how many were blocked; one that is not blocked stays as it is
   * @throws InvalidInvokeError for what is neither an id nor a filter
   * @throws DatabaseUnavailableError
   */
  async resume(which: string | ResumeFilter): Promise<number> {
    if (typeof which === 'string') return await this.#resumer.resume({ ids: [checkedId(which)] });
    const problems = resumeProblems(which);
    if (problems.length > 0) throw new InvalidInvokeError(problems);
    return await this.#resumer.resume(which);
  }

  /**
   * Ends an execution. One that no handler runs, since it waits for its time, a worker or the end of a sleep, or is blocked, is cancelled at
   * once. While a handler runs it is asked to stop: its `ctx.signal` aborts within a second, what it then asks for is refused, and when it
   * throws, or its worker is lost, the execution is cancelled; a result that it returns all the same is kept.
   *
   * @returns `cancelled`, `requested`, `too-late` (it has ended) or `unknown`; `requested` again, with the first reason, if it was
   * asked before
   * @throws InvalidInvokeError if the id is not a UUID, or the reason cannot be stored
   * @throws DatabaseUnavailableError after 10 s without an answer. It is safe to ask again
   */
  async cancel(id: string, options?: CancelOptions): Promise<CancelAnswer> {
    return await this.#canceller.cancel(checkedId(id), options);
  }

  /**
   * Makes a new execution of one that failed or was cancelled, with its payload, headers and priority, which goes on where that one had come to:
   * what it has recorded does not run again. Step errors are forgotten, as after a failed attempt, so what failed runs again. A sleep
   * that was not over has as long to go as when the old one ended, and `sleepUntil` keeps its instant. Attempts and losses count
   * from 1 and 0, and the task's own `deadline` and `expireAfter` from now. The old one stays as it ended.
   *
   * @throws UnknownExecutionError
   * @throws ExecutionNotEndedError while it is pending, running, suspended or blocked
   * @throws ExecutionCompletedError
   * @throws RecordExpiredError when its task's retention has removed its payload and steps
   * @throws ExecutionIdConflictError if `options.id` belongs to something else than a retry of this execution
   * @throws InvalidInvokeError for bad options
   * @throws DatabaseUnavailableError after 10 s without an answer. With an id of your own it is safe to retry again
   */
  async retry<R = unknown>(id: string, options: RerunOptions = {}): Promise<InvokedExecution<R>> {
    const problems = rerunProblems(options, ['id']);
    if (problems.length > 0) throw new InvalidInvokeError(problems);
    return await this.#rerun<R>(checkedId(id), options);
  }

  /**
   * `retry` of all that a filter names and that nobody has retried or forked yet, in batches. So calling it again goes on where
   * an error interrupted it, and two callers at once make one retry of each.
   *
   * @returns the new executions, by task, status and the time at which the old ones ended
   * @throws InvalidInvokeError for what is no filter
   * @throws DatabaseUnavailableError; what was retried until then stays so
   */
  async retryMany(filter: RetryManyFilter): Promise<RetriedExecution[]> {
    const problems = retryManyProblems(filter);
    if (problems.length > 0) throw new InvalidInvokeError(problems);
    return await this.#rerunner.many(filter);
  }

  /**
   * Makes a new execution of one that has ended in whatever way, with its payload, headers and priority, which takes over what the old one's handler had
   * seen before a step, caught errors included: that step, and what was recorded after it, in whichever branch, runs again by the code of
   * now. All else is as with `retry`, but that waits which were not over begin anew.
   *
   * @throws UnknownStepError that names what is recorded
   * @throws as `retry`, but for ExecutionCompletedError
   */
  async fork<R = unknown>(id: string, options: ForkOptions): Promise<InvokedExecution<R>> {
    const problems = rerunProblems(options, ['id', 'fromStep']);
    if (problems.length > 0) throw new InvalidInvokeError(problems);
    return await this.#rerun<R>(checkedId(id), options, options.fromStep);
  }

  async #rerun<R>(sourceId: string, { id }: RerunOptions, fromStep?: string) {
    const item = { id: id?.toLowerCase() ?? orderedUuid(), sourceId };
    const outcome = await this.#rerunner.one(item, fromStep);
    return new InvokedExecution<R>(
      item.id,
      id === undefined ? 'created' : outcome,
      this.#reader,
      this.#waiter,
      this.#canceller,
    );
  }

  /** An execution as it stands, or undefined if there never was one with this id, or its task's retention has removed it. */
  async get(id: string): Promise<ExecutionView | undefined> {
    return await this.#reader.get(checkedId(id));
  }

  /** Executions, newest first, a page at a time. */
  async list(filter: ExecutionFilter = {}): Promise<ExecutionPage> {
    const problems = filterProblems(filter);
    if (problems.length > 0) throw new InvalidInvokeError(problems);
    return await this.#reader.list(filter);
  }

  /** What an execution's steps and waits have recorded, in the order in which its handler saw it; nothing once its task's retention
   *  has removed it. */
  async steps(id: string): Promise<StepView[]> {
    return await this.#reader.steps(checkedId(id));
  }

  /** What each queue holds that is not finished. */
  async queues(): Promise<QueueView[]> {
    return await this.#reader.queues();
  }
}

/** By what we need of it: an app's TypeORM may be another copy than ours, or be behind a proxy. Repositories have a `manager` as well. */
function isEntityManager(value: unknown): boolean {
  const { dataSource, transaction, save } = (value ?? {}) as Partial<EntityManager>;
  return [transaction, save].every((member) => typeof member === 'function') && !!dataSource;
}

function checkedId(id: string): string {
  if (!isUuid(id))
    throw new InvalidInvokeError([`${shown(id)} is not the id of an execution: ids are UUIDs`]);
  return id.toLowerCase();
}
