import { atMost, type Clock } from '../common/clock.js';
import { ShuttingDownError } from '../errors/shutting-down.error.js';
import type { ResolvedOptions } from '../interfaces/module-options.js';
import type { Database } from '../persistence/database.js';
import { cancelChannelOf, channelOf } from '../persistence/channel.js';
import { NotificationListener } from '../persistence/notification.listener.js';
import { ExecutionRepository } from '../persistence/repositories/execution.repository.js';
import { RetentionRepository } from '../persistence/repositories/retention.repository.js';
import { StepRepository } from '../persistence/repositories/step.repository.js';
import type { StepTransactions } from '../persistence/step-transactions.js';
import type { WorkerRepository } from '../persistence/repositories/worker.repository.js';
import { RecordWriter } from '../worker/record-writer.js';
import type { TaskContexts } from '../worker/task-contexts.js';
import { TaskLogs } from '../worker/task-logs.js';
import { TaskRunner } from '../worker/task-runner.js';
import { WorkerLog } from '../worker/worker-log.js';
import type { ServedQueue } from '../worker/queue-slots.js';
import { Worker } from '../worker/worker.js';
import { Retention } from './duties/retention.js';
import { watchFloatingRejections } from './floating-rejections.js';
import { Heartbeat } from './heartbeat.js';
import { watchForShutdownHooks } from './shutdown-hooks.js';

/** After the hard deadline, for a last word to the database. With what closing the database takes, a process is gone within the
 *  hard deadline and a second. */
export const LAST_WORD_MS = 500;

/** How often drain() looks whether anything is left, beside being told when this process has nothing to do. */
const DRAIN_PAUSE_MS = 50;

/** Everything that lives from one start to the next stop. */
export class Crew {
  readonly worker: Worker;
  workerId?: number;
  queues: ServedQueue[] = [];
  private readonly writer: RecordWriter;
  private readonly heartbeat: Heartbeat;
  private readonly retention: Retention;
  private readonly listener?: NotificationListener;
  private readonly log: WorkerLog;
  private host = '';
  private stopWatching?: () => void;
  private stopAwaitingHooks?: () => void;
  private stopping = false;
  private gone = false;

  constructor(
    private readonly options: ResolvedOptions,
    private readonly database: Database,
    private readonly workers: WorkerRepository,
    contexts: TaskContexts,
    private readonly clock: Clock,
    transactions?: StepTransactions,
  ) {
    const executions = new ExecutionRepository(database);
    this.log = new WorkerLog(database);
    this.writer = new RecordWriter(executions, new StepRepository(database), clock, (error) =>
      this.log.visible(error),
    );
    const runner = new TaskRunner({
      writer: this.writer,
      logs: new TaskLogs(),
      contexts,
      defaults: options.defaults,
      clock,
      stopping: () => this.stopping,
      outlivedLease: () => this.worker.outlivedLease,
      transactions,
    });
    this.worker = new Worker(executions, runner, this.log, clock);
    this.heartbeat = new Heartbeat(
      workers,
      executions,
      this.worker,
      this.log,
      clock,
      options.lease,
      () => this.enlist(),
    );
    this.retention = new Retention(new RetentionRepository(database), clock, this.log);
    if (options.listen)
      this.listener = new NotificationListener(database, (channel) => this.heard(channel), clock);
  }

  /** @param goOn whether to go on trying while the database does not answer */
  async start(queues: ServedQueue[], host: string, goOn: () => boolean): Promise<void> {
    this.queues = queues;
    this.host = host;
    await this.register(goOn);
    this.stopWatching = watchFloatingRejections();
    this.worker.start(this.workerId!, queues);
    this.heartbeat.start(this.workerId!);
    this.retention.start();
    this.listener?.start(
      queues.flatMap(({ queueId }) => [
        channelOf(this.database.schema, queueId),
        this.cancelChannel(queueId),
      ]),
    );
    this.stopAwaitingHooks = watchForShutdownHooks(this.clock);
  }

  get isStopping(): boolean {
    return this.stopping;
  }

  /** Until nothing of its tasks runs or could run now, or it is stopped. */
  async drain(): Promise<void> {
    while (!this.stopping && (await this.workers.runnable(this.worker.taskIds)) && !this.stopping) {
      this.worker.wake();
      await atMost(this.clock, DRAIN_PAUSE_MS, this.worker.settled());
    }
  }

  async stop({ soft, hard }: ResolvedOptions['shutdown']): Promise<void> {
    const hardAt = this.clock.now() + hard;
    this.stopping = true;
    this.stopAwaitingHooks?.();
    const pruned = this.retention.stop(); // what is running needs the database more
    this.worker.stopClaiming();
    const softTimer = this.clock.startTimer(soft, () =>
      this.worker.interruptAll(new ShuttingDownError()),
    );
    // not awaited by itself: the database may be away, and handlers come to their end meanwhile
    const announced = this.quietly('Announcing the stop', () =>
      this.workers.announceStop(this.workerId!),
    );
    await atMost(
      this.clock,
      hard,
      this.worker.idle().then(() => this.writer.flush()),
    );
    this.clock.stopTimer(softTimer);
    this.gone = true;
    this.writer.abandon();
    this.worker.abandon();
    this.worker.loseAll(new ShuttingDownError()); // what still runs: nothing renews its lease any more
    await atMost(
      this.clock,
      hardAt + LAST_WORD_MS - this.clock.now(),
      this.leave([announced, pruned]),
    );
    this.stopWatching?.();
  }

  private heard(channel?: string): void {
    if (this.queues.some(({ queueId }) => this.cancelChannel(queueId) === channel))
      this.heartbeat.hurry();
    else this.worker.wake();
  }

  private cancelChannel(queueId: number): string {
    return cancelChannelOf(this.database.schema, queueId);
  }

  private async leave(begun: Promise<void>[]): Promise<void> {
    await Promise.all([...begun, this.heartbeat.stop(), this.listener?.stop()]);
    // with something that still runs the row stays, and recovery ends it when the lease lapses
    await this.quietly('Signing off', () => this.workers.deregister(this.workerId!));
  }

  /** This worker was reaped: it begins anew under another number. */
  private async enlist(): Promise<void> {
    if (this.gone) return;
    await this.register(() => !this.gone);
    this.heartbeat.renumber(this.workerId!);
    if (!this.stopping) this.worker.start(this.workerId!, this.queues);
  }

  private async register(goOn: () => boolean): Promise<void> {
    const { lease } = this.options;
    this.workerId = await this.workers.register(this.host, process.pid, lease, goOn);
  }

  private async quietly(what: string, act: () => Promise<unknown>): Promise<void> {
    try {
      await act();
    } catch (error) {
      this.log.dutyFailed(what, error); // only a courtesy to the others: the lease says the same, later
    }
  }
}
