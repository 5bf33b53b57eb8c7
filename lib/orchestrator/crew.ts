import { atMost, type Clock } from '../common/clock.js';
import type { ResolvedOptions } from '../interfaces/module-options.js';
import type { Database } from '../persistence/database.js';
import type { NotificationListener } from '../persistence/notification.listener.js';
import { ExecutionRepository } from '../persistence/repositories/execution.repository.js';
import { StepRepository } from '../persistence/repositories/step.repository.js';
import type { StepTransactions } from '../persistence/step-transactions.js';
import type { WorkerRepository } from '../persistence/repositories/worker.repository.js';
import { Completer } from '../worker/completer.js';
import type { TaskContexts } from '../worker/task-contexts.js';
import { TaskLogs } from '../worker/task-logs.js';
import { TaskRunner } from '../worker/task-runner.js';
import { WorkerLog } from '../worker/worker-log.js';
import { Worker, type ServedQueue } from '../worker/worker.js';
import { watchFloatingRejections } from './floating-rejections.js';
import { Heartbeat } from './heartbeat.js';

/** Everything that lives from one start to the next stop. */
export class Crew {
  readonly worker: Worker;
  workerId?: number;
  queues: ServedQueue[] = [];
  listener?: NotificationListener;
  private readonly completer: Completer;
  private readonly heartbeat: Heartbeat;
  private readonly log: WorkerLog;
  private stopWatching?: () => void;
  private stopping = false;
  private gone = false;

  constructor(
    private readonly options: ResolvedOptions,
    database: Database,
    private readonly workers: WorkerRepository,
    contexts: TaskContexts,
    private readonly clock: Clock,
    transactions?: StepTransactions,
  ) {
    const executions = new ExecutionRepository(database);
    this.log = new WorkerLog(database);
    this.completer = new Completer(executions, new StepRepository(database), clock, (error) =>
      this.log.visible(error),
    );
    const runner = new TaskRunner(
      this.completer,
      new TaskLogs(),
      contexts,
      options.defaults,
      clock,
      () => this.stopping,
      transactions,
    );
    this.worker = new Worker(executions, runner, this.completer, this.log, clock);
    this.heartbeat = new Heartbeat(
      workers,
      executions,
      this.worker,
      this.log,
      clock,
      options.lease,
      () => this.enlist(),
    );
  }

  async start(queues: ServedQueue[], host: string): Promise<void> {
    this.queues = queues;
    this.host = host;
    await this.register();
    this.stopWatching = watchFloatingRejections();
    this.worker.start(this.workerId!, queues);
    this.heartbeat.start(this.workerId!);
  }

  private host = '';

  async stop({ soft, hard }: ResolvedOptions['shutdown']): Promise<void> {
    this.stopping = true;
    this.worker.stopClaiming();
    const softTimer = this.clock.startTimer(soft, () =>
      this.worker.interruptAll(new Error('The worker is shutting down.')),
    );
    const began = this.clock.now();
    await this.quietly('Announcing the stop', () => this.workers.announceStop(this.workerId!));
    const left = Math.max(0, hard - (this.clock.now() - began));
    await atMost(
      this.clock,
      left,
      this.worker.idle().then(() => this.completer.flush()),
    );
    this.clock.stopTimer(softTimer);
    this.gone = true;
    this.completer.abandon();
    await this.heartbeat.stop();
    await this.listener?.stop();
    this.stopWatching?.();
    // still running something: the row stays, and recovery ends it when the lease lapses
    if (this.worker.busy === 0)
      await this.quietly('Signing off', () => this.workers.deregister(this.workerId!));
  }

  /** This worker was reaped: it begins anew under another number. */
  private async enlist(): Promise<void> {
    if (this.gone) return;
    await this.register();
    this.heartbeat.renumber(this.workerId!);
    if (!this.stopping) this.worker.start(this.workerId!, this.queues);
  }

  private async register(): Promise<void> {
    this.workerId = await this.workers.register(
      this.host,
      process.pid,
      this.options.lease,
      () => !this.gone,
    );
  }

  private async quietly(what: string, act: () => Promise<unknown>): Promise<void> {
    try {
      await act();
    } catch (error) {
      this.log.dutyFailed(what, error); // only a courtesy to the others: the lease says the same, later
    }
  }
}
