import { Batcher } from '../common/batcher.js';
import { ExecutionIdConflictError } from '../errors/execution-id-conflict.error.js';
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
import { isItemFailure } from '../persistence/statement.js';

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

  constructor(
    private readonly database: Database,
    private readonly executions: NewExecutionRepository,
    private readonly tasks: TaskRepository,
    private readonly notifier: Notifier,
  ) {
    this.singles = new Batcher((items) => this.write(items), {
      limit: 1_000,
      weightLimit: 4 * 1024 * 1024,
      weigh: ({ execution }) => execution.payload.length,
      mayBeOneItem: isItemFailure,
    });
  }

  one(item: Item): Promise<'created' | 'existing'> {
    return this.singles.add(item).then(
      (report) => accepted(item, report),
      (error) => this.fail(error),
    );
  }

  /** All of them in one statement: all are accepted, or none. */
  many(items: Item[]): Promise<('created' | 'existing')[]> {
    return this.write(items).then(
      (reports) => items.map((item, index) => accepted(item, reports[index]!)),
      (error) => this.fail(error),
    );
  }

  private async write(items: Item[]): Promise<EnqueueReport[]> {
    const reports = await this.send(items);
    if (!reports.includes('unknownTask')) return reports;
    // someone emptied the tables under us: what we knew of tasks is void. Nothing but those items is written again
    this.tasks.forget();
    const again = items.flatMap((item, index) =>
      reports[index] === 'unknownTask' ? [{ item, index }] : [],
    );
    const second = await this.send(again.map(({ item }) => item));
    again.forEach(({ index }, at) => (reports[index] = second[at]!));
    return reports;
  }

  private async send(items: Item[]): Promise<EnqueueReport[]> {
    const ids = await this.tasks.resolve(
      items.map(({ task }) => task),
      ENQUEUE_PATIENCE_MS,
    );
    const near = new Set<number>();
    for (const [index, { queueId }] of ids.entries())
      if ((items[index]!.execution.delayMs ?? 0) < NEAR_MS) near.add(queueId);
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

/** Whether it is due when it is accepted; a given time says the database's clock. */
function mayStart({ execution }: Item): boolean {
  return !((execution.delayMs ?? 0) > 0);
}
