import { Batcher } from '../common/batcher.js';
import { jittered, sleep, type Clock } from '../common/clock.js';
import { ExecutionIdBusyError } from '../errors/execution-id-busy.error.js';
import { ExecutionIdConflictError } from '../errors/execution-id-conflict.error.js';
import type { CallerTransaction } from '../persistence/caller-transaction.js';
import { channelOf } from '../persistence/channel.js';
import type { Database } from '../persistence/database.js';
import type { Notifier } from '../persistence/notifier.js';
import type { ClaimRow, Reservation } from '../persistence/repositories/execution.repository.js';
import type {
  EnqueueReport,
  NewExecution,
  NewExecutionRepository,
} from '../persistence/repositories/new-execution.repository.js';
import type { TaskName, TaskRepository } from '../persistence/repositories/task.repository.js';
import {
  FIRST_PAUSE_MS,
  isItemFailure,
  isLocked,
  LONGEST_PAUSE_MS,
} from '../persistence/statement.js';

/** How long an invoke goes on trying while the database does not answer. */
export const ENQUEUE_PATIENCE_MS = 10_000;

/** A delay up to which listeners are told at once, so that they set their timers; what comes later they find in a heartbeat. */
const NEAR_MS = 1_500;

/** A worker of this process: what it has room for starts with the reply that it is accepted. */
export interface LocalWorker {
  /** @param taskIds one for each execution that could start
   *  @returns undefined: it has no room, or must not claim */
  reserve(taskIds: number[]): Reservation | undefined;
}

/** Its task's number is found when it is sent. */
export type UnsentExecution = Omit<NewExecution, 'taskId'> & { taskId?: number };

interface Item {
  task: TaskName;
  execution: UnsentExecution;
}

/** Writes new executions. Single invokes that come while a write is in flight go out together in the next. */
export class Enqueuer {
  /** The orchestrator names it while it runs: this room and the worker's do not know each other. */
  localWorker?: LocalWorker;
  private readonly singles: Batcher<Item, EnqueueReport>;
  /** With ids of the callers', which may be in somebody's open transaction: those never hold up others. */
  private readonly named: Batcher<Item, EnqueueReport>;
  /** What may wait for such a transaction, one at a time: however many wait, they hold one connection. */
  private readonly contended: Batcher<Item, EnqueueReport>;

  constructor(
    private readonly database: Database,
    private readonly executions: NewExecutionRepository,
    private readonly tasks: TaskRepository,
    private readonly notifier: Notifier,
    private readonly clock: Clock,
  ) {
    const shared = {
      limit: 1_000,
      weightLimit: 4 * 1024 * 1024,
      weigh: ({ execution }: Item) => execution.payload.length,
      mayBeOneItem: isItemFailure,
    };
    this.singles = new Batcher((items) => this.write(items), shared);
    this.named = new Batcher((items) => this.write(items, true), shared);
    this.contended = new Batcher((items) => this.write(items, true), { limit: 1 });
  }

  one(item: Item): Promise<'created' | 'existing'> {
    const reply = item.execution.fresh ? this.singles.add(item) : this.contend(item);
    return reply.then(
      (report) => accepted(item, report),
      (error) => this.fail(error),
    );
  }

  /** All of them in one statement. With an id of another task it throws, and the others are accepted all the same. */
  many(items: Item[]): Promise<('created' | 'existing')[]> {
    return this.write(items).then(
      (reports) => items.map((item, index) => accepted(item, reports[index]!)),
      (error) => this.fail(isLocked(error) ? busy(items) : error),
    );
  }

  /** In a statement of its own in the caller's transaction; its task's number is found outside of that, where it stays if that is rolled back
   *  and where two transactions with one new task do not wait for each other. */
  async within(
    transaction: CallerTransaction,
    task: TaskName,
    executions: UnsentExecution[],
  ): Promise<('created' | 'existing')[]> {
    try {
      let reports = await this.sendWithin(transaction, task, executions);
      if (reports.includes('unknownTask')) {
        // its row is gone, or younger than the caller's snapshot
        this.tasks.forget();
        reports = await this.sendWithin(transaction, task, executions, true);
      }
      return executions.map((execution, index) => {
        const outcome = accepted({ task, execution }, reports[index]!);
        return execution.fresh ? 'created' : outcome;
      });
    } catch (error) {
      return this.fail(error);
    }
  }

  private async sendWithin(
    transaction: CallerTransaction,
    task: TaskName,
    executions: UnsentExecution[],
    isUnseen = false,
  ): Promise<EnqueueReport[]> {
    const [ids] = await this.tasks.resolve([task], ENQUEUE_PATIENCE_MS);
    const { taskId, queueId } = ids!;
    const isNear = executions.some(isDueSoon);
    return await this.executions.enqueueWithin(
      transaction,
      executions.map((execution) => withTask(execution, taskId)),
      isNear ? channelOf(this.database.schema, queueId) : undefined,
      isUnseen ? await this.tasks.defaults(taskId) : undefined,
    );
  }

  private async contend(item: Item): Promise<EnqueueReport> {
    const isPatient = this.database.patience(ENQUEUE_PATIENCE_MS);
    let lane = this.named;
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      try {
        return await lane.add(item);
      } catch (error) {
        if (!isLocked(error)) throw error;
        if (!isPatient()) throw busy([item]);
      }
      // of those that shared a statement, one is to blame: the others need not wait
      if (lane === this.contended) await sleep(this.clock, jittered(this.clock, pause));
      lane = this.contended;
    }
  }

  /** @param givesWay fails at once where an id is in somebody's open transaction */
  private async write(items: Item[], givesWay = false): Promise<EnqueueReport[]> {
    const reports = await this.send(items, givesWay);
    if (!reports.includes('unknownTask')) return reports;
    // someone emptied the tables under us: what we knew of tasks is void. Nothing but those items is written again
    this.tasks.forget();
    const again = items.flatMap((item, index) =>
      reports[index] === 'unknownTask' ? [{ item, index }] : [],
    );
    const second = await this.send(
      again.map(({ item }) => item),
      givesWay,
    );
    again.forEach(({ index }, at) => (reports[index] = second[at]!));
    return reports;
  }

  private async send(items: Item[], givesWay: boolean): Promise<EnqueueReport[]> {
    const ids = await this.tasks.resolve(
      items.map(({ task }) => task),
      ENQUEUE_PATIENCE_MS,
    );
    const near = new Set<number>();
    for (const [index, { queueId }] of ids.entries())
      if (isDueSoon(items[index]!.execution)) near.add(queueId);
    const channels = [...near].map((queueId) => channelOf(this.database.schema, queueId));
    const notified = this.notifier.take(channels);
    const reservation = this.localWorker?.reserve(
      ids.flatMap(({ taskId }, index) => (mayStart(items[index]!) ? [taskId] : [])),
    );
    let started: ClaimRow[] = [];
    try {
      const { reports, executions } = await this.executions.enqueue(
        items.map(({ execution }, index) => withTask(execution, ids[index]!.taskId)),
        notified,
        ENQUEUE_PATIENCE_MS,
        reservation,
        givesWay,
      );
      started = executions;
      if (started.length === items.length) this.notifier.unsent(notified);
      // told before it is committed, they would find nothing
      else this.notifier.tell(channels.filter((channel) => !notified.includes(channel)));
      return reports;
    } finally {
      reservation?.end(started);
    }
  }

  private fail(error: unknown): never {
    throw this.database.visible(error, 'accept an invoke');
  }
}

/** The same object: a copy costs a microsecond. */
function withTask(execution: UnsentExecution, taskId: number): NewExecution {
  execution.taskId = taskId;
  return execution as NewExecution;
}

function accepted({ task, execution }: Item, report: EnqueueReport): 'created' | 'existing' {
  if (report === 'created' || report === 'existing') return report;
  throw new ExecutionIdConflictError(execution.id, task.name);
}

function busy(items: Item[]): ExecutionIdBusyError {
  const ids = items
    .filter(({ execution }) => !execution.fresh)
    .map(({ execution }) => execution.id);
  return new ExecutionIdBusyError(ids, items[0]!.task.name, ENQUEUE_PATIENCE_MS);
}

function isDueSoon({ delayMs }: UnsentExecution): boolean {
  return (delayMs ?? 0) < NEAR_MS;
}

/** Whether it is due when it is accepted; a given time says the database's clock. */
function mayStart({ execution }: Item): boolean {
  return !((execution.delayMs ?? 0) > 0);
}
