import type { EntityManager } from 'typeorm';
import type { InvokeArgs, PayloadOf, TaskContract, TaskRef } from '../contracts/task-ref.js';
import type { InvokeItem, InvokeOptions } from '../interfaces/invoke-options.js';
import type { CallerTransaction, CallerTransactions } from '../persistence/caller-transactions.js';
import type { Enqueuer } from './enqueuer.js';
import { executionsOf, manyOf, nameOf } from './new-execution.js';
import { RefusingExecution, type UncommittedExecution } from './uncommitted-execution.js';

/**
 * Asks for work within a transaction of the caller's; `Conductor.using` gives it. What is asked for is accepted when that transaction is
 * committed, and never was when it is rolled back, or the nested transaction in which it was asked for. Each call has to be
 * awaited within the transaction.
 *
 * What is wrong with a call itself is found before anything is sent, and leaves the transaction as it was. A TransactionAbortedError does not.
 */
export class TransactionalConductor {
  readonly #manager: EntityManager;
  readonly #transactions: CallerTransactions;
  readonly #enqueuer: Enqueuer;

  /** @internal */
  constructor(manager: EntityManager, transactions: CallerTransactions, enqueuer: Enqueuer) {
    this.#manager = manager;
    this.#transactions = transactions;
    this.#enqueuer = enqueuer;
  }

  /**
   * Asks for a task to be run once the transaction is committed. An `id` that another open transaction has invoked is waited for until that
   * one ends, within the time-outs of the caller's connection.
   *
   * @throws PayloadInvalidError, SerializationError, InvalidInvokeError, ExecutionIdConflictError as `Conductor.invoke`
   * @throws NotInTransactionError if the EntityManager is in no transaction that may write
   * @throws OtherDatabaseError if it is of another database, or may not enqueue there
   * @throws TransactionAbortedError if Postgres refused the statement: the transaction can only be rolled back
   * @throws DatabaseUnavailableError if the conductor's own connections had no answer for 10 s
   */
  invoke<C extends TaskContract>(task: C, ...args: InvokeArgs<C>): Promise<UncommittedExecution>;
  invoke(task: TaskRef, payload?: unknown, options?: InvokeOptions): Promise<UncommittedExecution>;
  async invoke(
    task: TaskContract | TaskRef,
    payload?: unknown,
    options: InvokeOptions = {},
  ): Promise<UncommittedExecution> {
    const [transaction, execution] = await this.#join(
      'invoke',
      async () => await executionsOf(task)(payload, options),
    );
    const [outcome] = await this.#enqueuer.within(transaction, nameOf(task), [execution]);
    return new RefusingExecution(execution.id, outcome!);
  }

  /** Asks for many executions of a task in one statement: all are accepted or none. In the order of the items.
   *  @throws as `invoke` */
  invokeMany<C extends TaskContract>(
    task: C,
    items: InvokeItem<PayloadOf<C>>[],
  ): Promise<UncommittedExecution[]>;
  invokeMany(task: TaskRef, items: InvokeItem<unknown>[]): Promise<UncommittedExecution[]>;
  async invokeMany(
    task: TaskContract | TaskRef,
    items: InvokeItem<unknown>[],
  ): Promise<UncommittedExecution[]> {
    const [transaction, executions] = await this.#join('invokeMany', () => manyOf(task, items));
    if (executions.length === 0) return [];
    const outcomes = await this.#enqueuer.within(transaction, nameOf(task), executions);
    return executions.map(({ id }, index) => new RefusingExecution(id, outcomes[index]!));
  }

  /** Called before anything is awaited, so that what the caller sends next comes after it. What is wrong with the call is told first, but not
   *  before our statement was answered: the caller's next one would come while it is under way. */
  async #join<T>(member: string, make: () => Promise<T>): Promise<[CallerTransaction, T]> {
    const [joined, made] = await Promise.allSettled([
      this.#transactions.join(this.#manager, `using(…).${member}`),
      make(),
    ]);
    if (made.status === 'rejected') throw made.reason;
    if (joined.status === 'rejected') throw joined.reason;
    return [joined.value, made.value];
  }
}
